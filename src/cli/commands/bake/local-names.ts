// Names under which directories are lent. Targets that are linked share one session, in which a name means one directory.
import type { BuildPlan } from "../build/plan.ts";

/** Gives every directory of a bake one name for each role: the usual one to the first, which most targets share. */
export class LocalNames {
  readonly #names = new Map<string, string>();
  readonly #used = new Set<string>();

  /** All of them, by name. */
  get directories(): ReadonlyMap<string, string> {
    return new Map([...this.#names].map(([key, name]) => [name, key.slice(key.indexOf(" ") + 1)]));
  }

  /** The plan with every directory under its name in the whole bake. */
  renamed(plan: BuildPlan): BuildPlan {
    const attrs: Record<string, string> = { ...plan.attrs };
    const directories = new Map<string, string>();
    for (const [role, directory] of plan.directories) {
      const name = this.#nameOf(role, directory);
      directories.set(name, directory);
      if (name === role) continue;
      // The session's answer to that name as an id lends the directory as its context.
      if (role === "context") attrs["local-sessionid:context"] = name;
      else if (role === "dockerfile") attrs["dockerfilekey"] = name;
      else attrs[`context:${role}`] = `local:${name}`;
    }
    return { ...plan, attrs, directories };
  }

  #nameOf(role: string, directory: string): string {
    const key = `${role} ${directory}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    let name = role;
    for (let number = 2; this.#used.has(name); number++) name = `${role}-${number}`;
    this.#used.add(name);
    this.#names.set(key, name);
    return name;
  }
}
