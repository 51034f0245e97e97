// What is known before the first FROM: predefined and declared arguments, and the time that stands in for now.
import type { Linter } from "../lint/index.ts";
import type { Instructions } from "../stages.ts";
import type { BuildContext } from "./build-context.ts";
import { setVariable } from "./env.ts";
import { epochArg, givenEpoch, resolveEpoch } from "./epoch.ts";
import { stageSource } from "./epoch-stage.ts";
import type { Expander } from "./expand.ts";
import { type GlobalArgs, readGlobalArgs } from "./global-args.ts";
import { warnOfDefaultBases } from "./lint-stages.ts";
import type { FindNamedContext } from "./named-context.ts";
import type { ConvertIo, ConvertOptions } from "./options.ts";
import { type BuildPlatforms, predefinedArgs } from "./platforms.ts";
import type { ErrorFile } from "./problem.ts";

export interface ArgsScope {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly expander: Expander;
  readonly errorFile: ErrorFile;
  readonly linter: Linter;
  readonly context: BuildContext;
  readonly namedContext: FindNamedContext;
  readonly io: ConvertIo;
}

export interface ConversionArgs {
  /** With SOURCE_DATE_EPOCH as seconds, or without it where no time could be told. */
  readonly options: ConvertOptions;
  readonly globalArgs: GlobalArgs;
  readonly epoch: Date | undefined;
}

export async function readConversionArgs(
  written: Instructions,
  scope: ArgsScope,
): Promise<ConversionArgs> {
  const { options, platforms, expander, errorFile } = scope;
  const { buildArgs = {} } = options;
  const stageName = options.target || (written.stages.at(-1)?.name ?? "");
  const predefined = predefinedArgs(platforms, buildArgs, stageName);
  warnOfDefaults(written, scope, predefined);
  const globalArgs = readGlobalArgs(written.metaArgs, predefined, buildArgs, expander, errorFile);
  const given = givenEpoch(buildArgs, globalArgs.variables);
  if (given === undefined) return { options, globalArgs, epoch: undefined };
  const withoutEpoch = new Map(globalArgs.variables);
  withoutEpoch.delete(epochArg);
  const epoch = await resolveEpoch(given, {
    ...scope,
    stageSource: (name) =>
      stageSource(written.stages, name, {
        variables: withoutEpoch,
        buildArgs,
        expander,
        errorFile,
      }),
  });
  return withEpoch(options, globalArgs, epoch);
}

/** Checks the bases as they are when nobody sets an argument. */
function warnOfDefaults(
  written: Instructions,
  { expander, errorFile, linter }: ArgsScope,
  predefined: GlobalArgs["variables"],
): void {
  try {
    const defaults = readGlobalArgs(
      written.metaArgs,
      predefined,
      {},
      expander,
      errorFile,
    ).variables;
    warnOfDefaultBases(written.stages, ({ base }) => expander.expand(base, defaults).word, linter);
  } catch {
    // The same mistake is met, and told of, in the conversion itself.
  }
}

function withEpoch(
  options: ConvertOptions,
  globalArgs: GlobalArgs,
  epoch: Date | undefined,
): ConversionArgs {
  const seconds = epoch === undefined ? undefined : String(Math.floor(epoch.getTime() / 1000));
  const { [epochArg]: asArg, ...others } = options.buildArgs ?? {};
  const variables = new Map(globalArgs.variables);
  const declared = variables.delete(epochArg);
  return {
    options:
      asArg === undefined
        ? options
        : {
            ...options,
            buildArgs: seconds === undefined ? others : { ...others, [epochArg]: seconds },
          },
    globalArgs:
      declared && seconds !== undefined
        ? { ...globalArgs, variables: setVariable(variables, epochArg, seconds) }
        : { ...globalArgs, variables },
    epoch,
  };
}
