// Turns a Dockerfile into LLB and an image configuration, for one platform.
import { KilnError } from "../../../base/index.ts";
import { encodeDefinition, type SourceFile } from "../../llb/index.ts";
import { createLinter, type Linter, type LintWarning, parseLintOptions } from "../lint/index.ts";
import { detectCheck } from "../syntax.ts";
import { BaseImages } from "./base-images.ts";
import { createBuildContext } from "./build-context.ts";
import { readConversionArgs } from "./conversion-args.ts";
import { createExpander } from "./expand.ts";
import { findBases } from "./find-bases.ts";
import type { GlobalArgs } from "./global-args.ts";
import { askingOnce } from "./lookups.ts";
import { createContextFinder } from "./named-context.ts";
import type { ConvertIo, ConvertOptions, ConvertResult } from "./options.ts";
import { type PlannedStage, reachableStages, type StagePlan } from "./plan.ts";
import { planStages } from "./plan-stages.ts";
import { choosePlatforms } from "./platforms.ts";
import { dockerfileError } from "./problem.ts";
import { finishResult, type ResultScope } from "./result.ts";
import { runSettings } from "./run.ts";
import { convertStage } from "./stage-conversion.ts";
import { readWritten } from "./written.ts";

/** A conversion with all that was learned on the way; checks and outlines are made of it. */
export interface Conversion {
  readonly target: PlannedStage;
  readonly plan: StagePlan;
  readonly globalArgs: GlobalArgs;
  readonly scope: ResultScope;
}

/**
 * Converts for one platform. Throws `DOCKERFILE_INVALID` with the place for mistakes (all that the parser finds, at once),
 * and what `io` throws.
 */
export async function convertDockerfile(
  data: Uint8Array,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<ConvertResult & { readonly warnings: readonly LintWarning[] }> {
  const found = { linter: openLinter(data, options) };
  try {
    const { target, scope } = await runConversion(data, options, io, found);
    const result = finishResult(target, scope);
    return { ...result, warnings: found.linter.warnings };
  } finally {
    for (const warning of found.linter.warnings) io.warn?.(warning);
  }
}

/** Throws where the file, or the caller, wants warnings of checks to be an error. */
function refuseWarnings({ options, warnings }: Linter): void {
  if (!options.error || warnings.length === 0) return;
  const rules = [...new Set(warnings.map(({ rule }) => rule))].join(", ");
  throw new KilnError(
    "DOCKERFILE_INVALID",
    `build checks failed, and this file asks for that to be an error: ${rules}`,
    { hint: "Run `kiln build --check` to see them." },
  );
}

/** A linter with the options of the file or, before these, of the caller. */
export function openLinter(data: Uint8Array, options: ConvertOptions): Linter {
  // BuildKit: what stands behind a blank in the directive does not count.
  const words = options.check ?? detectCheck(data)?.value.split(" ", 1)[0] ?? "";
  const parsed = parseLintOptions(words);
  if (typeof parsed === "string") throw dockerfileError(`failed to parse check options: ${parsed}`);
  return createLinter(parsed);
}

/** All of the conversion but the answer. `found` has the checks' warnings, also when this throws. */
export async function runConversion(
  data: Uint8Array,
  options: ConvertOptions,
  asked: ConvertIo,
  found: { linter: Linter },
): Promise<Conversion> {
  if (data.length === 0)
    throw dockerfileError("the Dockerfile cannot be empty", "It begins with FROM.");
  const filename = options.filename ?? "Dockerfile";
  const { fileDefinition: definition } = options;
  const origin = definition && encodeDefinition(definition);
  const named = { filename, ...(origin ? { origin } : {}) };
  const { written, token, errorFile } = readWritten(data, named, found);
  const sourceFile: SourceFile = {
    ...{ filename, language: "Dockerfile", data },
    ...(definition ? { definition } : {}),
  };
  const { linter } = found;
  const io = askingOnce(asked);
  const platforms = choosePlatforms(options);
  const context = createBuildContext(options.context);
  const namedContext = createContextFinder(options, io);
  const expander = createExpander(token);
  const images = new BaseImages(options, io);
  const shared = { platforms, context, expander, linter, namedContext, io, errorFile };
  const { globalArgs, epoch, ...args } = await readConversionArgs(written, { ...shared, options });
  const scope = {
    ...shared,
    images,
    sourceFile,
    epoch,
    options: args.options,
    globalArgs: globalArgs.variables,
    runSettings: runSettings(args.options),
  };
  const plan = planStages(written.stages, { ...scope, globalArgs });
  const target = plan.target(options.target);
  await findBases(plan, target, scope, errorFile);
  const wanted = reachableStages(target);
  for (const stage of plan.stages) {
    if (stage.end === undefined && (options.allStages || wanted.has(stage)))
      stage.end = convertStage(stage, scope);
  }
  refuseWarnings(linter);
  return { target, plan, globalArgs, scope };
}
