// Bodies of HCL and JSON files, taken together, to targets, groups and variables. All mistakes are told at once.
import { closest, isKilnError, KilnError } from "../../base/index.ts";
import {
  type Ambient,
  type Attribute,
  type Block,
  type BlockSchema,
  type Body,
  evaluate,
  mistakeAt,
  type Range,
  typeText,
  type Value,
} from "../hcl/index.ts";
import { decodeField } from "./decode.ts";
import { checkName, type Instance, TargetInstances, textOf } from "./instances.ts";
import { BakeScope, type BlockView } from "./scope.ts";
import {
  type BakeDefinition,
  type Fields,
  fieldNames,
  fields,
  type Group,
  mergeFields,
  type TargetDefinition,
  type VariableInfo,
} from "./target.ts";
import {
  type Surroundings,
  type VariableDefinition,
  valueText,
  variableType,
} from "./variables.ts";
import { viewOf } from "./views.ts";

/** Blocks of bake files. */
export const bakeSchema: BlockSchema = {
  function: { labels: 1 },
  group: { labels: 1 },
  target: { labels: 1 },
  variable: { labels: 1, blocks: { validation: { labels: 0 } } },
};

/** Mistakes that are told at once. */
const maxMistakes = 20;

const ownAttributes = ["inherits", "matrix", "name"];

export interface ReadOptions extends Surroundings {
  readonly ambient: Ambient;
  /** `BAKE_CMD_CONTEXT` and the like. */
  readonly builtins: Readonly<Record<string, string>>;
  /** Told of what is not known, which is let through. */
  readonly warn?: (message: string, range: Range) => void;
}

/** What the bodies say together, later ones over earlier ones. Throws `BAKE_INVALID`. */
export function readBake(bodies: readonly Body[], options: ReadOptions): BakeDefinition {
  return new BakeReader(bodies, options).read();
}

class BakeReader {
  readonly #options: ReadOptions;
  readonly #blocks: readonly Block[];
  readonly #variables = new Map<string, VariableDefinition>();
  readonly #scope: BakeScope;
  readonly #mistakes: KilnError[] = [];
  readonly #instances: TargetInstances;

  constructor(bodies: readonly Body[], options: ReadOptions) {
    this.#options = options;
    this.#blocks = bodies.flatMap(({ blocks }) => blocks);
    const attributes = new Map<string, Attribute>(bodies.flatMap((body) => [...body.attributes]));
    for (const block of this.#named("variable")) {
      const name = block.labels[0]?.text ?? "";
      this.#variables.set(name, { name, block });
    }
    const functions = new Map(
      this.#named("function").map((block) => [block.labels[0]?.text ?? "", block] as const),
    );
    this.#scope = new BakeScope({
      attributes,
      variables: this.#variables,
      functions,
      builtins: new Map(Object.entries(options.builtins)),
      blocks: (type, name) => this.#view(type, name),
      surroundings: options,
      ambient: options.ambient,
    });
    this.#instances = new TargetInstances(this.#scope);
    for (const { range, name } of attributes.values())
      this.#keep(() => void this.#scope.variable(name, range));
  }

  read(): BakeDefinition {
    for (const block of this.#named("target")) this.#keep(() => this.#instances.add(block));
    const variables = [...this.#variables.values()].flatMap(
      (one) => this.#keep(() => this.#variable(one)) ?? [],
    );
    const targets = [...this.#instances.byName].flatMap(
      ([name, instances]) => this.#keep(() => this.#target(name, instances)) ?? [],
    );
    const groups = this.#groups();
    this.#done();
    return { groups, targets, variables };
  }

  #done(): void {
    const unique = new Map(
      this.#mistakes.map((one) => [`${one.message} ${one.at?.file}:${one.at?.line}`, one]),
    );
    const [first, ...others] = [...unique.values()].slice(0, maxMistakes);
    if (!first) return;
    throw new KilnError(first.code, first.message, {
      others,
      details: first.details,
      ...(first.hint === undefined ? {} : { hint: first.hint }),
      ...(first.at === undefined ? {} : { at: first.at }),
    });
  }

  #keep<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isKilnError(error)) throw error;
      this.#mistakes.push(error);
      return undefined;
    }
  }

  #named(type: string): readonly Block[] {
    return this.#blocks.filter((block) => block.type === type && block.labels.length > 0);
  }

  #variable({ name, block }: VariableDefinition): VariableInfo {
    const value = this.#scope.variable(name, block.range);
    for (const check of block.body.blocks.filter(({ type }) => type === "validation"))
      this.#keep(() => this.#validate(check));
    const type = variableType({ name, block });
    const description = textOf(block, "description", this.#scope);
    const text = valueText(value);
    return {
      name,
      ...(type === undefined ? {} : { type: typeText(type) }),
      ...(description === undefined ? {} : { description }),
      ...(text === undefined ? {} : { value: text }),
    };
  }

  #validate(check: Block): void {
    const condition = check.body.attributes.get("condition");
    if (!condition) return;
    const { range } = condition.expression;
    const value = evaluate(condition.expression, this.#scope);
    if (decodeField({ kind: "flag" }, value, range) === true) return;
    const message = textOf(check, "error_message", this.#scope) ?? "";
    throw mistakeAt(
      range,
      "Validation failed",
      message || "This check failed, but has an invalid error message.",
    );
  }

  #target(name: string, instances: readonly Instance[]): TargetDefinition {
    let merged: Fields = {};
    let inherits: readonly string[] = [];
    for (const instance of instances) {
      this.#warnUnknown(instance.block);
      merged = mergeFields(merged, this.#fields(instance));
      const parents = this.#inherits(instance);
      if (parents) inherits = [...inherits, ...parents];
    }
    return { name, inherits, fields: merged };
  }

  #fields(instance: Instance): Fields {
    const found: Record<string, unknown> = {};
    for (const name of fieldNames) {
      const attribute = instance.block.body.attributes.get(name);
      if (!attribute) continue;
      const value = this.#keep(() => {
        const value_ = this.#valueOf(instance, name, attribute);
        return decodeField(fields[name], value_, attribute.expression.range);
      });
      if (value !== undefined) found[name] = value;
    }
    return found as Fields;
  }

  /** Through the scope where no matrix is about, so that it notices who needs himself. */
  #valueOf(instance: Instance, name: string, attribute: Attribute): Value {
    const { scope, block } = instance;
    const own = block.labels[0]?.text === instance.name && scope === this.#scope;
    const only = this.#instances.byName.get(instance.name)?.length === 1;
    if (!own || !only) return evaluate(attribute.expression, scope);
    const path = ["target", instance.name, name];
    const found = this.#scope.resolve(path, attribute.expression.range);
    return found?.used === 3 ? found.value : evaluate(attribute.expression, scope);
  }

  #inherits(instance: Instance): readonly string[] | undefined {
    const attribute = instance.block.body.attributes.get("inherits");
    if (!attribute) return undefined;
    return this.#keep(() => {
      const value = evaluate(attribute.expression, instance.scope);
      return decodeField({ kind: "texts" }, value, attribute.expression.range);
    }) as readonly string[] | undefined;
  }

  #warnUnknown(block: Block): void {
    const known: readonly string[] = [...fieldNames, ...ownAttributes];
    for (const { name, nameRange } of block.body.attributes.values()) {
      if (known.includes(name)) continue;
      const near = closest(name, [...known]);
      this.#options.warn?.(
        `unknown attribute ${JSON.stringify(name)} of target ${JSON.stringify(block.labels[0]?.text)} has no effect${near === undefined ? "" : `: did you mean ${near}?`}`,
        nameRange,
      );
    }
  }

  #groups(): readonly Group[] {
    const groups = new Map<string, Group>(this.#instances.groups.map((one) => [one.name, one]));
    for (const block of this.#named("group")) {
      const group = this.#keep(() => this.#group(block));
      if (!group) continue;
      const before = groups.get(group.name);
      groups.set(group.name, { ...before, ...group });
    }
    return [...groups.values()];
  }

  #group(block: Block): Group {
    const [label] = block.labels;
    checkName(label?.text ?? "", label?.range ?? block.range);
    const attribute = block.body.attributes.get("targets");
    const value = attribute ? evaluate(attribute.expression, this.#scope) : null;
    const range = attribute?.expression.range ?? block.range;
    const targets = (decodeField({ kind: "texts" }, value, range) ?? []) as readonly string[];
    const description = textOf(block, "description", this.#scope);
    return { name: label?.text ?? "", targets, ...(description ? { description } : {}) };
  }

  #view(type: string, name: string): BlockView | undefined {
    if (type === "group") {
      const group = this.#named("group").find((block) => block.labels[0]?.text === name);
      return (
        group && viewOf([{ name, block: group, scope: this.#scope }], ["targets", "description"])
      );
    }
    if (type !== "target") return undefined;
    const made = this.#instances.byName.get(name);
    const blocks =
      made ??
      this.#named("target")
        .filter((block) => block.labels[0]?.text === name)
        .map((block) => ({ name, block, scope: this.#scope }));
    return blocks.length === 0 ? undefined : viewOf(blocks, [...fieldNames, ...ownAttributes]);
  }
}
