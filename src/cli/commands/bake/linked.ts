// Targets whose files other targets use: they are described in the same build, and their results are lent as inputs.
import { Buffer } from "node:buffer";
import type { Attrs, BuildBridge, Drive, FrontendResult } from "../../../api/index.ts";
import { type Call, KilnError } from "../../../base/index.ts";
import type { Definition } from "../../../formats/llb/index.ts";
import type { PlannedTarget } from "./plan-targets.ts";

const frontend = "dockerfile.v0";

/** What drives the build of a target that uses others; undefined where it uses none. */
export function driveOf(
  target: PlannedTarget,
  all: ReadonlyMap<string, PlannedTarget>,
): Drive | undefined {
  if (linksOf(target).length === 0) return undefined;
  return async (bridge, call) => {
    const described = new Map<string, Promise<FrontendResult>>();
    return await describe(target, { all, bridge, described }, call);
  };
}

/** Names of contexts with the targets that they are. */
export function linksOf({ plan }: PlannedTarget): readonly (readonly [string, string])[] {
  return Object.entries(plan.attrs).flatMap(([key, value]) =>
    key.startsWith("context:") && value.startsWith("target:")
      ? [[key.slice("context:".length), value.slice("target:".length)] as const]
      : [],
  );
}

interface Describing {
  readonly all: ReadonlyMap<string, PlannedTarget>;
  readonly bridge: BuildBridge;
  /** By target; each is described once. */
  readonly described: Map<string, Promise<FrontendResult>>;
}

async function describe(
  target: PlannedTarget,
  describing: Describing,
  call: Call,
): Promise<FrontendResult> {
  const attrs: Record<string, string> = { ...target.plan.attrs };
  const inputs: Record<string, Definition> = { ...target.plan.inputs };
  for (const [name, other] of linksOf(target)) {
    delete attrs[`context:${name}`];
    const result = await describedOnce(other, describing, call);
    lend(name, result, attrs, inputs);
  }
  return await describing.bridge.frontend({ name: frontend, attrs, inputs }, call);
}

async function describedOnce(
  name: string,
  describing: Describing,
  call: Call,
): Promise<FrontendResult> {
  const { all, described } = describing;
  const known = described.get(name);
  if (known) return await known;
  const target = all.get(name);
  if (!target) throw new KilnError("BAKE_INVALID", `failed to find target ${name}`);
  const result = describe(target, describing, call);
  described.set(name, result);
  return await result;
}

/** One input for each platform of the result; a name without a platform where there is only one. */
function lend(
  name: string,
  { platforms }: FrontendResult,
  attrs: Record<string, string>,
  inputs: Record<string, Definition>,
): void {
  for (const { id, definition, config } of platforms) {
    const input = platforms.length === 1 ? name : `${name}::${id}`;
    if (definition) inputs[input] = definition;
    else throw new KilnError("BAKE_INVALID", `context ${name} is a target without any files`);
    attrs[`context:${input}`] = `input:${input}`;
    attrs[`input-metadata:${input}`] = metadata(config);
  }
  attrs["frontend.caps"] = "moby.buildkit.frontend.inputs,moby.buildkit.frontend.contexts+forward";
}

function metadata(config: unknown): Attrs[string] {
  const bytes = Buffer.from(JSON.stringify(config));
  return JSON.stringify({ "containerimage.config": bytes.toString("base64") });
}
