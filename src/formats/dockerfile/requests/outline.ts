// The sub-request `frontend.outline`: what a target can be given: arguments, secrets, agents.

import { openLinter, runConversion } from "../convert/convert.ts";
import type { GlobalArgs } from "../convert/global-args.ts";
import type { ConvertIo, ConvertOptions } from "../convert/options.ts";
import type { OutlineArg, OutlineNeed } from "../convert/outline-record.ts";
import type { PlannedStage } from "../convert/plan.ts";
import { type LocationJson, locationJson } from "./result-json.ts";

/** What `frontend.outline` 1.0.0 answers; fields without a value are left out. */
export interface Outline {
  readonly name?: string;
  readonly description?: string;
  readonly args?: readonly ArgJson[];
  readonly secrets?: readonly NeedJson[];
  readonly ssh?: readonly NeedJson[];
}

export interface ArgJson {
  readonly name: string;
  readonly description?: string;
  readonly value?: string;
  readonly location: LocationJson;
}

export interface NeedJson {
  readonly name: string;
  readonly required?: boolean;
  readonly location: LocationJson;
}

/** Converts as for a build, and tells what was asked for on the way. Throws what a conversion throws. */
export async function outlineDockerfile(
  data: Uint8Array,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<Outline> {
  const { target, globalArgs } = await runConversion(data, options, io, {
    linter: openLinter(data, options),
  });
  const found = collect(target, globalArgs);
  const args = inOrder(found.args).map(argJson);
  const secrets = inOrder(found.secrets).map(needJson);
  const ssh = inOrder(found.agents).map(needJson);
  const { name = "", doc = "" } = target.from ?? {};
  return {
    ...(name === "" ? {} : { name }),
    ...(doc === "" ? {} : { description: doc }),
    ...(args.length === 0 ? {} : { args }),
    ...(secrets.length === 0 ? {} : { secrets }),
    ...(ssh.length === 0 ? {} : { ssh }),
  };
}

interface Found {
  readonly args: Map<string, OutlineArg>;
  readonly secrets: Map<string, OutlineNeed>;
  readonly agents: Map<string, OutlineNeed>;
}

/** The target's own needs go before those of its base, and these before those of stages that it reads from. */
function collect(target: PlannedStage, globalArgs: GlobalArgs): Found {
  const found: Found = { args: new Map(), secrets: new Map(), agents: new Map() };
  const seen = new Set<PlannedStage>();
  const open = [target];
  for (let stage = open.pop(); stage !== undefined; stage = open.pop()) {
    if (seen.has(stage)) continue;
    seen.add(stage);
    const { outline } = stage;
    for (const name of withNeeds(outline.usedArgs, outline.args, globalArgs)) {
      const arg = outline.args.get(name) ?? globalArgs.declared.get(name);
      if (arg !== undefined && !found.args.has(name)) found.args.set(name, arg);
    }
    for (const [id, need] of outline.secrets)
      if (!found.secrets.has(id)) found.secrets.set(id, need);
    for (const [id, need] of outline.agents) if (!found.agents.has(id)) found.agents.set(id, need);
    open.push(...[...stage.reads.keys()].reverse());
    if (stage.base !== undefined) open.push(stage.base);
  }
  return found;
}

/** The names with those that their defaults are made of. */
function withNeeds(
  names: ReadonlySet<string>,
  own: ReadonlyMap<string, OutlineArg>,
  { declared }: GlobalArgs,
): ReadonlySet<string> {
  const all = new Set(names);
  // What is added meanwhile is visited too.
  for (const name of all) {
    if (!own.has(name)) for (const need of declared.get(name)?.needs ?? []) all.add(need);
  }
  return all;
}

function inOrder<T extends { readonly lines: { readonly start: number } }>(
  found: ReadonlyMap<string, T>,
): readonly T[] {
  return [...found.values()].sort((a, b) => a.lines.start - b.lines.start);
}

function argJson({ name, doc, value = "", lines }: OutlineArg): ArgJson {
  return {
    name,
    ...(doc === "" ? {} : { description: doc }),
    ...(value === "" ? {} : { value }),
    location: locationJson(lines),
  };
}

function needJson({ id, required, lines }: OutlineNeed): NeedJson {
  return { name: id, ...(required ? { required } : {}), location: locationJson(lines) };
}
