// SOURCE_DATE_EPOCH: the time that stands in for now, so that equal sources make equal images.
import type { State } from "../../llb/index.ts";
import type { BuildContext } from "./build-context.ts";
import { UsedPaths } from "./build-context.ts";
import type { Variables } from "./env.ts";
import type { FindNamedContext } from "./named-context.ts";
import type { ConvertIo } from "./options.ts";
import type { BuildPlatforms } from "./platforms.ts";
import { dockerfileError } from "./problem.ts";

export interface EpochScope {
  readonly platforms: BuildPlatforms;
  readonly context: BuildContext;
  readonly namedContext: FindNamedContext;
  readonly io: ConvertIo;
  /** The single remote source of a stage made for this; undefined where no stage has the name. */
  readonly stageSource: (name: string) => State | undefined;
}

export const epochArg = "SOURCE_DATE_EPOCH";

/** The value that the caller or the file gives; undefined where none is given. */
export function givenEpoch(
  buildArgs: Readonly<Record<string, string>>,
  globalArgs: Variables,
): string | undefined {
  if (Object.hasOwn(buildArgs, epochArg)) return buildArgs[epochArg];
  return globalArgs.get(epochArg) || undefined;
}

/**
 * Seconds since 1970, or where to find the time: `context`, a named context, or a stage. Undefined where sources do not
 * tell a time.
 */
export async function resolveEpoch(value: string, scope: EpochScope): Promise<Date | undefined> {
  if (value === "") return undefined;
  if (/^[+-]?[0-9]+$/.test(value)) return epochDate(value);
  // Files of a directory have the times of their check-out, which tell nothing.
  if (value === "context" && scope.context.isLent) return undefined;
  const { source, logName } = await findSource(value, scope);
  return await scope.io.sourceTime?.(source, logName);
}

function epochDate(value: string): Date {
  const date = new Date(Number(value) * 1000);
  if (Number.isNaN(date.getTime())) throw invalid(value);
  return date;
}

async function findSource(
  name: string,
  scope: EpochScope,
): Promise<{ source: State; logName: string }> {
  if (name === "context") {
    return {
      source: scope.context.files,
      logName: "[internal] resolve main build context metadata",
    };
  }
  const question = { platform: scope.platforms.target, used: new UsedPaths() };
  const context = isName(name) ? scope.namedContext(name, question) : undefined;
  if (context !== undefined) {
    const { files } = await context.load();
    return { source: files, logName: `[internal] resolve SOURCE_DATE_EPOCH named context ${name}` };
  }
  const source = scope.stageSource(name);
  if (source === undefined) throw invalid(name);
  return { source, logName: `[internal] resolve SOURCE_DATE_EPOCH source stage ${name}` };
}

function isName(text: string): boolean {
  return /^[a-z0-9][a-z0-9._/-]*$/.test(text);
}

function invalid(value: string): Error {
  return dockerfileError(
    `invalid SOURCE_DATE_EPOCH: ${value}`,
    "Give seconds since 1970, context, or the name of a context or stage.",
  );
}
