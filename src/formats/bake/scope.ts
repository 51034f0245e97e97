// Names in bake files: variables, attributes of the top level, functions, and attributes of other targets. Each is worked out
// when it is first needed, so that files may be in any order.
import type { KilnError } from "../../base/index.ts";
import {
  type Ambient,
  type Attribute,
  type Block,
  Budget,
  bareWord,
  type Expression,
  evaluate,
  type HclFunction,
  Mapping,
  mistakeAt,
  type Param,
  type Range,
  type Scope,
  Sequence,
  standardFunctions,
  type Value,
  withVariables,
} from "../hcl/index.ts";
import { type Surroundings, type VariableDefinition, variableValue } from "./variables.ts";

/** What names stand for. */
export interface Names {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly variables: ReadonlyMap<string, VariableDefinition>;
  readonly functions: ReadonlyMap<string, Block>;
  readonly builtins: ReadonlyMap<string, Value>;
  /** Blocks that others may look into: `target.NAME.ATTRIBUTE`. */
  readonly blocks: (type: string, name: string) => BlockView | undefined;
  readonly surroundings: Surroundings;
  readonly ambient: Ambient;
}

/** One target or group, as others see it. */
export interface BlockView {
  /** Undefined for what no block of this type has. */
  attribute(name: string, range: Range): Value | undefined;
  names(): readonly string[];
}

/** The scope in which everything of a bake is evaluated. */
export class BakeScope implements Scope {
  readonly budget: Budget = new Budget();
  readonly #names: Names;
  readonly #standard: ReadonlyMap<string, HclFunction>;
  readonly #values = new Map<string, Value>();
  readonly #functions = new Map<string, HclFunction>();
  readonly #working = new Set<string>();

  constructor(names: Names) {
    this.#names = names;
    this.#standard = standardFunctions(names.ambient);
  }

  resolve(path: readonly string[], range: Range): { value: Value; used: number } | undefined {
    const [name = "", block, attribute] = path;
    if (this.#isKnown(name)) return { value: this.variable(name, range), used: 1 };
    if (block === undefined) return undefined;
    const view = this.#names.blocks(name, block);
    if (!view) return undefined;
    if (attribute === undefined) return { value: this.#whole(view, range), used: 2 };
    const key = `${name}.${block}.${attribute}`;
    const value = this.#once(key, "reference", key, range, () => view.attribute(attribute, range));
    return value === undefined ? undefined : { value, used: 3 };
  }

  names(): readonly string[] {
    const { attributes, variables, builtins } = this.#names;
    return [...attributes.keys(), ...variables.keys(), ...builtins.keys()];
  }

  function(name: string, range: Range): HclFunction | undefined {
    const block = this.#names.functions.get(name);
    if (!block) return this.#standard.get(name);
    const known = this.#functions.get(name);
    const made = known ?? this.#userFunction(name, block);
    this.#functions.set(name, made);
    if (this.#working.has(`function ${name}`)) throw cycle("function", name, range);
    return made;
  }

  functionNames(): readonly string[] {
    return [...this.#names.functions.keys(), ...this.#standard.keys()];
  }

  /** The value of a variable, an attribute of the top level, or what is built in. */
  variable(name: string, range: Range): Value {
    const { builtins } = this.#names;
    const value = this.#once(`variable ${name}`, "variable", name, range, () => {
      const attribute = this.#names.attributes.get(name);
      if (attribute) return evaluate(attribute.expression, this);
      const variable = this.#names.variables.get(name);
      if (!variable) return builtins.get(name) ?? null;
      return variableValue(variable, this.#names.surroundings, () => {
        const initial = variable.block.body.attributes.get("default");
        return initial ? evaluate(initial.expression, this) : null;
      });
    });
    return value ?? null;
  }

  #isKnown(name: string): boolean {
    const { attributes, variables, builtins } = this.#names;
    return attributes.has(name) || variables.has(name) || builtins.has(name);
  }

  #whole(view: BlockView, range: Range): Value {
    const entries = view
      .names()
      .map((name) => [name, view.attribute(name, range) ?? null] as const);
    return new Mapping("object", entries);
  }

  #once(
    key: string,
    what: string,
    name: string,
    range: Range,
    work: () => Value | undefined,
  ): Value | undefined {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    if (this.#working.has(key)) throw cycle(what, name, range);
    this.#working.add(key);
    try {
      const value = work();
      if (value !== undefined) this.#values.set(key, value);
      return value;
    } finally {
      this.#working.delete(key);
    }
  }

  #userFunction(name: string, block: Block): HclFunction {
    const { attributes } = block.body;
    const params = paramNames(attributes.get("params")?.expression);
    const rest = attributes.get("variadic_params")?.expression;
    const restName = rest && (bareWord(rest) ?? paramNames(rest)[0]);
    const result = attributes.get("result")?.expression;
    if (!result) {
      throw mistakeAt(
        block.range,
        "Missing required argument",
        `The argument "result" is required for function ${name}, but no definition was found.`,
      );
    }
    const param = (one: string): Param => ({ name: one, type: "any", nullable: true });
    return {
      params: params.map(param),
      ...(restName === undefined ? {} : { rest: param(restName) }),
      call: (args) => {
        const given = new Map<string, Value>(
          params.map((one, at) => [one, args[at] ?? null] as const),
        );
        if (restName !== undefined)
          given.set(restName, new Sequence("tuple", args.slice(params.length)));
        const key = `function ${name}`;
        this.#working.add(key);
        try {
          return evaluate(result, withVariables(this, given));
        } finally {
          this.#working.delete(key);
        }
      },
    };
  }
}

function cycle(what: string, name: string, range: Range): KilnError {
  return mistakeAt(range, "Invalid expression", `${what} cycle not allowed for ${name}`);
}

/** `[a, b]`, or `["a", "b"]` in JSON. */
function paramNames(expression: Expression | undefined): readonly string[] {
  if (expression?.kind !== "tuple") return [];
  return expression.items.map((item) => {
    const word = bareWord(item) ?? (item.kind === "literal" ? item.value : undefined);
    if (typeof word === "string") return word;
    throw mistakeAt(item.range, "Invalid param", "A name of a parameter is required.");
  });
}
