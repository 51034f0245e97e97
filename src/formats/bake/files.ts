// Files of a bake, in the order in which they count: which syntax each is in, and what all of them say.
import { isKilnError, KilnError } from "../../base/index.ts";
import { type Body, parseHcl, parseHclJson, type Source } from "../hcl/index.ts";
import type { ComposeOptions } from "./compose/compose.ts";
import { bakeSchema, type ReadOptions, readBake } from "./read.ts";
import { type BakeDefinition, type Group, mergeFields, type TargetDefinition } from "./target.ts";

export type FilesOptions = ReadOptions & Pick<ComposeOptions, "readFile">;

/**
 * What all files say together: Compose files first, whatever their place, and HCL and JSON over them. Throws `BAKE_INVALID`
 * with the mistakes of all of them.
 */
export async function readBakeFiles(
  files: readonly Source[],
  options: FilesOptions,
): Promise<BakeDefinition> {
  const compose = files.filter(isCompose);
  const bodies = parseFiles(files.filter((file) => !compose.includes(file)));
  // YAML is loaded only for those who use it.
  const services =
    compose.length === 0
      ? { targets: [], groups: [] }
      : (await import("./compose/compose.ts")).readCompose(compose, options);
  const said = readBake(bodies, options);
  return {
    targets: joinTargets(services.targets, said.targets),
    groups: joinGroups(services.groups, said.groups),
    variables: said.variables,
  };
}

/** By its name, or by what Compose files begin with. */
function isCompose({ name, text }: Source): boolean {
  if (/\.ya?ml$/.test(name)) return true;
  if (/\.(hcl|json)$/.test(name)) return false;
  return /^(services|name|include|x-[\w-]+)\s*:/m.test(text) && !/^(target|group)\s+"/m.test(text);
}

function joinTargets(
  earlier: readonly TargetDefinition[],
  later: readonly TargetDefinition[],
): readonly TargetDefinition[] {
  const joined = new Map(earlier.map((one) => [one.name, one]));
  for (const one of later) {
    const before = joined.get(one.name);
    const fields = before ? mergeFields(before.fields, one.fields) : one.fields;
    joined.set(one.name, { ...one, fields });
  }
  return [...joined.values()];
}

function joinGroups(earlier: readonly Group[], later: readonly Group[]): readonly Group[] {
  return [...new Map([...earlier, ...later].map((one) => [one.name, one])).values()];
}

function parseFiles(files: readonly Source[]): readonly Body[] {
  const mistakes: KilnError[] = [];
  const bodies: Body[] = [];
  for (const file of files) {
    try {
      bodies.push(parseFile(file));
    } catch (error) {
      if (!isKilnError(error)) throw error;
      mistakes.push(error, ...error.others);
    }
  }
  const [first, ...others] = mistakes;
  if (!first) return bodies;
  throw new KilnError(first.code, first.message, {
    others,
    details: first.details,
    ...(first.at === undefined ? {} : { at: first.at }),
  });
}

function parseFile(source: Source): Body {
  if (source.name.endsWith(".json")) return parseHclJson(source, bakeSchema);
  if (source.name.endsWith(".hcl")) return parseHcl(source);
  // Without a name that tells, JSON is what begins like it.
  return /^\s*\{/.test(source.text) ? parseHclJson(source, bakeSchema) : parseHcl(source);
}
