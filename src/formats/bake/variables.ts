// Variables of bake files: their defaults, types and checks, and what the environment says of them.
import { KilnError, parseBool, readCsv } from "../../base/index.ts";
import {
  type Block,
  ConversionError,
  convert,
  convertJson,
  mistakeAt,
  numberText,
  type Range,
  readType,
  Sequence,
  type Type,
  toJson,
  typeName,
  typeSource,
  type Value,
} from "../hcl/index.ts";

/** A variable as the last block of its name defines it. */
export interface VariableDefinition {
  readonly name: string;
  readonly block: Block;
}

/** Where values come from besides the files. */
export interface Surroundings {
  /** `--var`, which wins over the environment. */
  readonly given: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The declared type, where there is one. Throws `BAKE_INVALID`. */
export function variableType({ block }: VariableDefinition): Type | undefined {
  const type = block.body.attributes.get("type");
  return type && readType(type.expression);
}

/** The value: as given, as the environment has it, or the default. */
export function variableValue(
  variable: VariableDefinition,
  { given, env }: Surroundings,
  evaluateDefault: () => Value,
): Value {
  const { name, block } = variable;
  const { range } = block;
  const type = variableType(variable);
  const initial = defaultOf(variable, type, evaluateDefault);
  const json =
    given[`${name}_JSON`] ?? (Object.hasOwn(given, name) ? undefined : env[`${name}_JSON`]);
  const text = given[name] ?? env[name];
  if (type !== undefined && text === undefined && json !== undefined)
    return converting(name, "JSON", range, () => convertJson(json, type));
  if (text === undefined) return initial;
  if (type !== undefined) return typedValue(name, text, type, range);
  return untypedValue(name, text, initial, range);
}

function defaultOf(
  { name, block }: VariableDefinition,
  type: Type | undefined,
  evaluateDefault: () => Value,
): Value {
  if (!block.body.attributes.has("default")) return type === undefined ? "" : null;
  const value = evaluateDefault();
  if (type === undefined) return value;
  try {
    return convert(value, type);
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    throw invalid(
      block.range,
      `invalid type ${typeSource(type)} for variable ${name} default value: ${error.message}`,
    );
  }
}

function invalid(range: Range, detail: string): KilnError {
  return mistakeAt(range, "Invalid value", detail);
}

function typedValue(name: string, text: string, type: Type, range: Range): Value {
  if (typeof type === "string") return converting(name, "string", range, () => convert(text, type));
  return converting(name, "CSV", range, () => convert(fromCsv(text, type), type));
}

function converting(name: string, form: string, range: Range, work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConversionError) && !(error instanceof KilnError)) throw error;
    throw invalid(range, `failed to convert variable ${name} from ${form}: ${error.message}`);
  }
}

/** Fields of a list, or pairs of `key=value`, each in quotes of its own, of a map. */
function fromCsv(text: string, type: Type): Value {
  const fields = readCsv(text);
  if (typeof type === "string") return text;
  if ("list" in type || "set" in type || "tuple" in type) return new Sequence("tuple", fields);
  throw new ConversionError(`a value of type ${typeSource(type)} can be given as JSON only`);
}

/** Of the type of the default. */
function untypedValue(name: string, text: string, initial: Value, range: Range): Value {
  if (initial === null || typeof initial === "string") return text;
  if (typeof initial === "boolean") {
    const value = parseBool(text);
    if (value !== undefined) return value;
    throw invalid(
      range,
      `failed to parse ${name} as bool: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  if (typeof initial === "number") {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value)) return value;
    throw invalid(
      range,
      `failed to parse ${name} as number: strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  throw invalid(range, `unsupported type ${typeName(initial)} for variable ${name}`);
}

/** A value as lists of variables show it. */
export function valueText(value: Value): string | undefined {
  if (value === null) return undefined;
  if (typeof value === "number") return numberText(value);
  return typeof value === "object" ? JSON.stringify(toJson(value)) : String(value);
}
