// From what files say to what is to be built: groups opened, parents merged, links followed.
import { closest, KilnError } from "../../base/index.ts";
import { globMatches } from "./glob.ts";
import { applyOverrides, type Overrides } from "./overrides.ts";
import {
  type BakeDefinition,
  type Fields,
  type Group,
  mergeFields,
  normalizeFields,
} from "./target.ts";

/** One target that is built. */
export interface ResolvedTarget {
  readonly name: string;
  readonly fields: Fields;
  /** Built only because others need its files: it gives no result of its own. */
  readonly linked: boolean;
}

/** What a bake builds, both by name and in the order of names. */
export interface ResolvedBake {
  readonly groups: ReadonlyMap<string, Group>;
  readonly targets: ReadonlyMap<string, ResolvedTarget>;
}

/** Resolves names of targets, groups, and patterns of them. Throws `BAKE_INVALID`. */
export function resolveBake(
  definition: BakeDefinition,
  names: readonly string[],
  overrides: Overrides,
): ResolvedBake {
  const resolver = new Resolver(definition, overrides);
  const asked = names.length === 0 ? ["default"] : names.flatMap((name) => resolver.expand(name));
  const groups = new Map<string, Group>();
  for (const name of asked) resolver.take(name, groups);
  resolver.link();
  const others = asked.filter((name) => name !== "default" || !groups.has("default"));
  const standard = groups.get("default") ?? { name: "default", targets: [] };
  const targets = [...new Set([...standard.targets, ...others])].sort();
  groups.set("default", { ...standard, targets });
  return { groups, targets: resolver.targets };
}

/** Targets in targets in targets. */
const maxDepth = 200;

class Resolver {
  readonly targets = new Map<string, ResolvedTarget>();
  readonly #definition: BakeDefinition;
  readonly #overrides: Overrides;

  constructor(definition: BakeDefinition, overrides: Overrides) {
    this.#definition = definition;
    this.#overrides = overrides;
  }

  /** A name as it is, or those that match where it is a pattern. */
  expand(name: string): readonly string[] {
    if (!/[*?[]/.test(name) || this.#group(name) || this.#target(name)) return [name];
    const all = [...this.#definition.groups, ...this.#definition.targets].map((one) => one.name);
    const found = [...new Set(all)].filter((one) => globMatches(name, one));
    return found.length > 0 ? found : [name];
  }

  /** Adds a target, or those of a group; groups on the way are gathered. */
  take(name: string, groups: Map<string, Group>): void {
    const group = this.#group(name);
    if (!group) {
      if (!this.targets.has(name)) this.targets.set(name, this.#resolve(name, false));
      return;
    }
    if (groups.has(name)) return;
    groups.set(name, { ...group, targets: [...new Set(group.targets)] });
    for (const one of group.targets) this.#takeMember(one, name, groups);
  }

  /** A group may have a target of its own name. */
  #takeMember(name: string, group: string, groups: Map<string, Group>): void {
    if (name !== group) this.take(name, groups);
    else if (!this.targets.has(name)) this.targets.set(name, this.#resolve(name, false));
  }

  /** Adds what targets need of other targets. */
  link(): void {
    for (const target of [...this.targets.values()]) this.#followLinks(target, []);
  }

  #followLinks({ name, fields }: ResolvedTarget, way: readonly string[]): void {
    const visited = [...way, name];
    if (visited.length > maxDepth)
      throw new KilnError("BAKE_INVALID", `targets are linked more than ${maxDepth} deep`);
    for (const source of Object.values(fields.contexts ?? {})) {
      if (!source?.startsWith("target:")) continue;
      const other = source.slice("target:".length);
      if (other === name)
        throw new KilnError("BAKE_INVALID", `target ${name} cannot link to itself`);
      if (visited.includes(other))
        throw new KilnError("BAKE_INVALID", `infinite loop from ${name} to ${other}`);
      const linked = this.targets.get(other) ?? this.#resolve(other, true);
      this.targets.set(other, linked);
      this.#followLinks(linked, visited);
      checkPlatforms(name, fields, linked);
    }
  }

  #resolve(name: string, linked: boolean): ResolvedTarget {
    const merged = this.#merged(name, new Map());
    const output = linked ? { output: [{ type: "cacheonly" }] } : {};
    const dockerfile = merged.dockerfile || "Dockerfile";
    const fields = normalizeFields({
      ...merged,
      context: merged.context ?? ".",
      dockerfile,
      ...output,
    });
    return { name, fields, linked };
  }

  /** Parents in their order, then the target, then what the command line says; each target counts once. */
  #merged(name: string, visited: Map<string, Fields>): Fields {
    const known = visited.get(name);
    if (known) return known;
    const found = this.#target(name);
    if (!found) throw this.#missing(name);
    visited.set(name, {});
    if (visited.size > maxDepth * 10)
      throw new KilnError("BAKE_INVALID", `target ${name} inherits from too many targets`);
    const parents = found.inherits.map((parent) => this.#merged(parent, visited));
    const whole = [...parents, found.fields].reduce<Fields>(mergeFields, {});
    const result = normalizeFields(applyOverrides(whole, this.#overrides.get(name)));
    visited.set(name, result);
    return result;
  }

  #group(name: string): Group | undefined {
    return this.#definition.groups.find((group) => group.name === name);
  }

  #target(name: string): BakeDefinition["targets"][number] | undefined {
    return this.#definition.targets.find((target) => target.name === name);
  }

  #missing(name: string): KilnError {
    const all = [...this.#definition.targets, ...this.#definition.groups].map((one) => one.name);
    const near = closest(name, all);
    return new KilnError("BAKE_INVALID", `failed to find target ${name}`, {
      hint:
        near !== undefined
          ? `Did you mean ${near}?`
          : all.length > 0
            ? `Targets are ${[...new Set(all)].slice(0, 20).join(", ")}.`
            : "The files define no targets.",
    });
  }
}

/** Who is built for several platforms takes files for each of them. */
function checkPlatforms(name: string, { platforms = [] }: Fields, linked: ResolvedTarget): void {
  const theirs = linked.fields.platforms ?? [];
  if (platforms.length < 2 || theirs.length < 2) return;
  if (platforms.every((one) => theirs.includes(one))) return;
  throw new KilnError(
    "BAKE_INVALID",
    `target ${linked.name} can't be used by ${name} because its platforms [${theirs.join(" ")}] are not a subset of [${platforms.join(" ")}]`,
  );
}
