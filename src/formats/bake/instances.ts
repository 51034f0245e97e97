// Targets that blocks stand for: one each, or one for each choice of a matrix's values.
import {
  type Attribute,
  type Block,
  type Expression,
  evaluate,
  Mapping,
  mistakeAt,
  type Range,
  type Scope,
  Sequence,
  type Value,
  withVariables,
} from "../hcl/index.ts";
import { decodeField } from "./decode.ts";
import type { Group } from "./target.ts";

/** Targets that all matrices of a bake may make. */
const maxTargets = 10_000;

const namePattern = /^[a-zA-Z0-9_-]+$/;

/** One target of a block: of a matrix there are several. */
export interface Instance {
  readonly name: string;
  readonly block: Block;
  readonly scope: Scope;
}

/** Grows by one block after the other. */
export class TargetInstances {
  readonly #scope: Scope;
  readonly #byName = new Map<string, Instance[]>();
  readonly #groups: Group[] = [];

  /** `scope` is what expressions outside matrices see. */
  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** In the order in which the names came up first. */
  get byName(): ReadonlyMap<string, readonly Instance[]> {
    return this.#byName;
  }

  /** A matrix whose targets have names of their own is a group of them. */
  get groups(): readonly Group[] {
    return this.#groups;
  }

  /** Under its own name, or under those that a matrix makes. */
  add(block: Block): void {
    const [label] = block.labels;
    if (!label) return;
    const { matrix, name } = attributesOf(block, "matrix", "name");
    if (!matrix) {
      if (name) {
        throw mistakeAt(name.range, "Invalid name", "name requires matrix");
      }
      checkName(label.text, label.range);
      this.#put({ name: label.text, block, scope: this.#scope });
      return;
    }
    const combinations = this.#combinations(matrix.expression);
    const made = combinations.map((variables) => {
      const scope = withVariables(this.#scope, variables);
      const text = name ? textOf(block, "name", scope) : label.text;
      checkName(text ?? "", name?.expression.range ?? label.range);
      return { name: text ?? "", block, scope };
    });
    const names = made.map((one) => one.name);
    const doubled = names.find((one, at) => names.indexOf(one) !== at);
    if (doubled !== undefined) {
      throw mistakeAt(
        name?.range ?? block.range,
        "Invalid name",
        `duplicate name ${JSON.stringify(doubled)}`,
      );
    }
    made.forEach((one) => void this.#put(one));
    if (name) this.#groups.push({ name: label.text, targets: names });
  }

  #put(instance: Instance): void {
    const before = this.#byName.get(instance.name) ?? [];
    this.#byName.set(instance.name, [...before, instance]);
    if (this.#byName.size > maxTargets)
      throw mistakeAt(instance.block.range, "Too many targets", `At most ${maxTargets} are built.`);
  }

  /** Every choice of one value of each list; the first name changes fastest. */
  #combinations(expression: Expression): readonly ReadonlyMap<string, Value>[] {
    const value = evaluate(expression, this.#scope);
    if (!(value instanceof Mapping)) {
      throw mistakeAt(
        expression.range,
        "Invalid matrix",
        "A matrix is a map of lists: { name = [...] }.",
      );
    }
    let all: ReadonlyMap<string, Value>[] = [new Map()];
    for (const [name, list] of value.entries) {
      if (!(list instanceof Sequence)) {
        throw mistakeAt(
          expression.range,
          "Invalid matrix",
          `matrix values must be lists: ${name} is none`,
        );
      }
      if (all.length * list.items.length > maxTargets)
        throw mistakeAt(
          expression.range,
          "Invalid matrix",
          `It makes more than ${maxTargets} targets.`,
        );
      all = list.items.flatMap((item) => all.map((one) => new Map([...one, [name, item]])));
    }
    return all;
  }
}

/** An attribute that holds text; undefined where it is missing or null. Throws `BAKE_INVALID`. */
export function textOf(block: Block, name: string, scope: Scope): string | undefined {
  const attribute = block.body.attributes.get(name);
  if (!attribute) return undefined;
  const { expression } = attribute;
  const text = decodeField({ kind: "text" }, evaluate(expression, scope), expression.range);
  return typeof text === "string" ? text : undefined;
}

function attributesOf(
  block: Block,
  ...names: readonly string[]
): Readonly<Record<string, Attribute | undefined>> {
  return Object.fromEntries(names.map((name) => [name, block.body.attributes.get(name)]));
}

/** Of targets and groups. Throws `BAKE_INVALID`. */
export function checkName(name: string, range: Range): void {
  if (namePattern.test(name)) return;
  throw mistakeAt(range, "Invalid name", `only ${JSON.stringify("[a-zA-Z0-9_-]+")} are allowed`);
}
