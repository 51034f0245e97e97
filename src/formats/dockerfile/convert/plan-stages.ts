// Plans the stages of a file: expands what FROM says, and finds what every instruction reads from.
import { KilnError } from "../../../base/index.ts";
import { type Platform, parsePlatform } from "../../oci/index.ts";
import type { Linter } from "../lint/index.ts";
import { ExpansionError, type Replacement } from "../shell-words.ts";
import type { Stage as WrittenStage } from "../stages.ts";
import type { Expander } from "./expand.ts";
import type { GlobalArgs } from "./global-args.ts";
import { warnOfPlatformFlag, warnOfUndeclared } from "./lint-stages.ts";
import type { FindNamedContext } from "./named-context.ts";
import type { ConvertOptions } from "./options.ts";
import { findCircle, PlannedStage, StagePlan } from "./plan.ts";
import type { BuildPlatforms } from "./platforms.ts";
import { dockerfileError, type ErrorFile, placed, placedMany } from "./problem.ts";

export interface PlanScope {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly globalArgs: GlobalArgs;
  readonly expander: Expander;
  readonly linter: Linter;
  readonly namedContext: FindNamedContext;
  readonly errorFile: ErrorFile;
}

export function planStages(stages: readonly WrittenStage[], scope: PlanScope): StagePlan {
  const plan = new StagePlan();
  const planned = stages.map((written, index) => {
    try {
      return planStage(plan, written, index, scope);
    } catch (error) {
      throw placed(error, written.lines, scope.errorFile);
    }
  });
  // Instructions may read from stages further down: then the error is about that, not about a missing image.
  for (const [index, stage] of planned.entries()) {
    const { instructions = [] } = stages[index] ?? {};
    stage.instructions = instructions.map((instruction) => {
      try {
        if (instruction.kind === "copy") checkFrom(instruction.from, scope);
        return plan.plan(stage, instruction, false);
      } catch (error) {
        throw placed(error, instruction.lines, scope.errorFile);
      }
    });
  }
  const circle = findCircle(plan.stages);
  if (circle !== undefined) throw placedMany(circle.error, circle.places, scope.errorFile);
  const [only, ...more] = plan.stages;
  if (only !== undefined && more.length === 0) only.shownName = "";
  return plan;
}

function planStage(
  plan: StagePlan,
  written: WrittenStage,
  index: number,
  scope: PlanScope,
): PlannedStage {
  const { options } = scope;
  const base = expandNoted(written.base, written, scope);
  if (base.word === "") {
    throw dockerfileError(
      `base name (${written.base}) should not be blank`,
      "Give the ARG a default before the first FROM, or pass it with --build-arg.",
    );
  }
  const platform = written.platform === "" ? undefined : readPlatform(written, scope);
  const stage = new PlannedStage({
    baseName: base.word,
    name: written.name,
    shownName: written.name === "" ? `stage-${index}` : written.name,
    lines: written.lines,
    from: written,
    platform: platform?.platform,
  });
  for (const name of base.matched) stage.outline.usedArgs.add(name);
  for (const name of platform?.expansion.matched ?? []) stage.outline.usedArgs.add(name);
  if (written.name !== "") {
    stage.namedContext = scope.namedContext(written.name, {
      platform: stage.platform ?? scope.platforms.target,
      used: stage.used,
    });
  }
  plan.add(stage);
  stage.steps = countSteps(stage, written);
  stage.ignoreCache = isUncached([stage.shownName, `${index}`], options);
  return stage;
}

function readPlatform(
  written: WrittenStage,
  scope: PlanScope,
): { readonly platform: Platform; readonly expansion: Replacement } {
  const { globalArgs, linter, platforms } = scope;
  const expansion = expandNoted(written.platform, written, scope);
  warnOfPlatformFlag(written, expansion, globalArgs.variables, linter);
  if (expansion.word === "") {
    throw new KilnError(
      "PLATFORM_INVALID",
      `empty platform value from expression ${written.platform}`,
      {
        hint: "Use $TARGETPLATFORM or $BUILDPLATFORM, or declare the ARG before the first FROM.",
      },
    );
  }
  return { platform: parsePlatform(expansion.word, platforms.build[0]), expansion };
}

/** Which stages there are must be known before any variable is. */
function checkFrom(from: string, { expander }: PlanScope): void {
  if (from === "" || expander.expand(from, new Map<string, string>()).word === from) return;
  throw dockerfileError(
    "variable expansion is not supported for --from",
    "Define a stage with FROM, using an ARG from before the first FROM, and copy from that.",
  );
}

/** Expands, and warns of variables that no ARG declares, also where the word cannot be expanded. */
function expandNoted(
  word: string,
  { lines }: WrittenStage,
  { globalArgs, expander, linter }: PlanScope,
): Replacement {
  try {
    const expansion = expander.expand(word, globalArgs.variables);
    warnOfUndeclared(expansion.unmatched, globalArgs, lines, linter);
    return expansion;
  } catch (error) {
    if (error instanceof ExpansionError)
      warnOfUndeclared(error.unmatched, globalArgs, lines, linter);
    throw error;
  }
}

const changing: ReadonlySet<string> = new Set(["add", "copy", "run", "workdir"]);

/** How many steps the names of steps count: the base, where it is an image, and what may change files. */
function countSteps(stage: PlannedStage, { instructions }: WrittenStage): number {
  const base = stage.baseName !== "scratch" && stage.base === undefined ? 1 : 0;
  return base + instructions.filter(({ kind }) => changing.has(kind)).length;
}

/** The reference knows stages by their written name alone here; a number, as in --target, and `stage-1` say more. */
function isUncached(names: readonly string[], { noCache }: ConvertOptions): boolean {
  if (noCache === undefined) return false;
  return noCache.length === 0 || noCache.some((one) => names.includes(one.toLowerCase()));
}
