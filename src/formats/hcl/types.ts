// HCL's types, and turning values into them as cty's conversions do.
import type { Expression } from "./ast.ts";
import { parseExpressionText } from "./json-template.ts";
import { mistakeAt } from "./source.ts";
import {
  compareText,
  fromJson,
  Mapping,
  numberText,
  Sequence,
  typeName,
  type Value,
} from "./value.ts";

export type Type =
  | "any"
  | "string"
  | "number"
  | "bool"
  | { readonly list: Type }
  | { readonly set: Type }
  | { readonly map: Type }
  | { readonly tuple: readonly Type[] }
  | { readonly object: Readonly<Record<string, Type>>; readonly optional: ReadonlySet<string> };

/** A value that cannot become what is wanted. The message is cty's, such as `element 0: string required`. */
export class ConversionError extends Error {}

/** As people read it: `list of string`. */
export function typeText(type: Type): string {
  if (typeof type === "string") return type === "any" ? "dynamic" : type;
  if ("list" in type) return `list of ${typeText(type.list)}`;
  if ("set" in type) return `set of ${typeText(type.set)}`;
  if ("map" in type) return `map of ${typeText(type.map)}`;
  return "tuple" in type ? "tuple" : "object";
}

/** As it is written in a file: `list(string)`. */
export function typeSource(type: Type): string {
  if (typeof type === "string") return type;
  if ("list" in type) return `list(${typeSource(type.list)})`;
  if ("set" in type) return `set(${typeSource(type.set)})`;
  if ("map" in type) return `map(${typeSource(type.map)})`;
  if ("tuple" in type) return `tuple([${type.tuple.map(typeSource).join(", ")}])`;
  const entries = Object.entries(type.object).sort(([a], [b]) => compareText(a, b));
  const members = entries.map(([name, one]) => {
    const text = typeSource(one);
    return `${name}=${type.optional.has(name) ? `optional(${text})` : text}`;
  });
  return `object({${members.join(",")}})`;
}

/** The value as a value of the type; null is of every type. Throws `ConversionError`. */
export function convert(value: Value, type: Type): Value {
  if (value === null || type === "any") return value;
  if (type === "string") return toText(value);
  if (type === "number") return toNumber(value);
  if (type === "bool") return toBool(value);
  if ("list" in type) return new Sequence("list", elements(value, type.list, type));
  if ("set" in type) return new Sequence("set", elements(value, type.set, type));
  if ("map" in type) return toMap(value, type.map, type);
  return "tuple" in type ? toTuple(value, type) : toObject(value, type);
}

function toText(value: Value): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value);
  if (typeof value === "boolean") return String(value);
  throw new ConversionError("string required");
}

function toNumber(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value !== "string") throw new ConversionError("number required");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value))
    throw new ConversionError("a number is required");
  if (!Number.isFinite(Number(value))) throw new ConversionError("the number is too large");
  return Number(value);
}

function toBool(value: Value): boolean {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") throw new ConversionError("bool required");
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  const near = value.toLowerCase();
  throw new ConversionError(
    near === "true" || near === "false"
      ? `a bool is required; to convert from string, use lowercase "${near}"`
      : "a bool is required",
  );
}

function elements(value: Value, element: Type, whole: Type): Value[] {
  if (!(value instanceof Sequence)) throw new ConversionError(`${typeText(whole)} required`);
  const wanted = element === "any" ? commonType(value.items) : element;
  return value.items.map((item, at) => within(`element ${at}`, () => convert(item, wanted)));
}

function toMap(value: Value, element: Type, whole: Type): Mapping {
  if (!(value instanceof Mapping)) throw new ConversionError(`${typeText(whole)} required`);
  const wanted = element === "any" ? commonType([...value.entries.values()]) : element;
  return new Mapping(
    "map",
    [...value.entries].map(([key, one]) => [
      key,
      within(`element ${JSON.stringify(key)}`, () => convert(one, wanted)),
    ]),
  );
}

function toTuple(value: Value, { tuple }: { readonly tuple: readonly Type[] }): Sequence {
  if (!(value instanceof Sequence) || value.kind === "set")
    throw new ConversionError("tuple required");
  if (value.items.length !== tuple.length) {
    throw new ConversionError(
      `tuple of length ${tuple.length} required, but this one has ${value.items.length}`,
    );
  }
  const items = value.items.map((item, at) =>
    within(`element ${at}`, () => convert(item, tuple[at] ?? "any")),
  );
  return new Sequence("tuple", items);
}

function toObject(value: Value, type: Extract<Type, { object: unknown }>): Mapping {
  if (!(value instanceof Mapping)) throw new ConversionError("object required");
  const entries = Object.entries(type.object).map(([name, wanted]): [string, Value] => {
    const found = value.entries.get(name);
    if (found === undefined && type.optional.has(name)) return [name, null];
    if (found === undefined)
      throw new ConversionError(`attribute ${JSON.stringify(name)} is required`);
    return [name, within(`attribute ${JSON.stringify(name)}`, () => convert(found, wanted))];
  });
  return new Mapping("object", entries);
}

function within<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw new ConversionError(`${where}: ${error.message}`);
  }
}

/** What values of one collection can all become: text, where they are single values of several types. */
export function commonType(items: readonly Value[]): Type {
  const kinds = new Set(items.filter((item) => item !== null).map(typeName));
  const isSimple = [...kinds].every((kind) => ["string", "number", "bool"].includes(kind));
  return kinds.size > 1 && isSimple ? "string" : "any";
}

/** Items as a list whose elements are of one type. */
export function listOf(items: readonly Value[]): Sequence {
  const type = commonType(items);
  return new Sequence(
    "list",
    items.map((item) => convert(item, type)),
  );
}

/** The type that an expression such as `list(string)` names (HCL's type expressions). */
export function readType(expression: Expression): Type {
  const { range } = expression;
  // JSON has no words: there the type is a text.
  if (expression.kind === "literal" && typeof expression.value === "string")
    return readType(parseExpressionText(expression.value, range));
  if (expression.kind === "variable") {
    const simple = simpleTypes.get(expression.name);
    if (simple) return simple;
    if (expression.name === "list" || expression.name === "set" || expression.name === "map") {
      throw invalidType(
        expression,
        `The ${expression.name} type constructor requires one argument specifying the element type.`,
      );
    }
    throw invalidType(
      expression,
      `The keyword ${JSON.stringify(expression.name)} is not a valid type specification.`,
    );
  }
  if (expression.kind !== "call")
    throw mistakeAt(
      range,
      "Invalid type specification",
      "A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).",
    );
  const [argument] = expression.args;
  if (!argument || expression.args.length !== 1) {
    throw invalidType(expression, `The ${expression.name} type constructor requires one argument.`);
  }
  switch (expression.name) {
    case "list":
      return { list: readType(argument) };
    case "set":
      return { set: readType(argument) };
    case "map":
      return { map: readType(argument) };
    case "tuple":
      if (argument.kind === "tuple") return { tuple: argument.items.map(readType) };
      throw invalidType(argument, "Tuple type constructor requires a list of element types.");
    case "object":
      return readObjectType(argument);
  }
  throw invalidType(
    expression,
    `Keyword ${JSON.stringify(expression.name)} is not a valid type constructor.`,
  );
}

function readObjectType(argument: Expression): Type {
  if (argument.kind !== "object") {
    throw invalidType(
      argument,
      "Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.",
    );
  }
  const optional = new Set<string>();
  const members = argument.items.map(({ key, value }): [string, Type] => {
    const name = key.kind === "literal" ? String(key.value) : "";
    const [inner] = value.kind === "call" && value.name === "optional" ? value.args : [];
    if (inner) optional.add(name);
    return [name, readType(inner ?? value)];
  });
  return { object: Object.fromEntries(members), optional };
}

const simpleTypes: ReadonlyMap<string, Type> = new Map([
  ["string", "string"],
  ["number", "number"],
  ["bool", "bool"],
  ["any", "any"],
]);

function invalidType(expression: Expression, detail: string): Error {
  return mistakeAt(expression.range, "Invalid type specification", detail);
}

/** The value of a JSON document as a value of the type. Throws `ConversionError`. */
export function convertJson(text: string, type: Type): Value {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ConversionError("not valid JSON");
  }
  return convert(fromJson(json), type);
}
