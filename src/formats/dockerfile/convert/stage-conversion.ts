// Converts one stage: from what it stands on, through its instructions, to what it ends as.
import type { SourceFile } from "../../llb/index.ts";
import type { LineRange } from "../ast.ts";
import type { Linter } from "../lint/index.ts";
import { ExpansionError, isPlain, type Replacement } from "../shell-words.ts";
import { defaultPath } from "./bases.ts";
import type { BuildContext } from "./build-context.ts";
import { convertInstruction, expandInstruction } from "./converters.ts";
import { splitVariable, type Variables } from "./env.ts";
import type { ConvertEnv, SourceFiles } from "./environment.ts";
import type { Expander } from "./expand.ts";
import { warnOfUndefined } from "./lint-variables.ts";
import type { ConvertOptions } from "./options.ts";
import type { PlannedInstruction, PlannedStage } from "./plan.ts";
import type { BuildPlatforms } from "./platforms.ts";
import { dockerfileError, type ErrorFile, placed } from "./problem.ts";
import { runSettings } from "./run.ts";
import { changed, configured, type Stage, stageOn } from "./stage.ts";
import { withUser } from "./user.ts";
import { withWorkingDir } from "./workdir.ts";

/** What all stages of one conversion share. */
export interface StageScope {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly context: BuildContext;
  readonly globalArgs: Variables;
  readonly expander: Expander;
  readonly linter: Linter;
  readonly sourceFile: SourceFile;
  readonly errorFile: ErrorFile;
  readonly epoch: Date | undefined;
}

/** The stage after all its instructions. Stages that it reads from must have been converted. */
export function convertStage(planned: PlannedStage, scope: StageScope): Stage {
  let stage = beginStage(planned, scope);
  const common = environmentOf(planned, scope);
  for (const step of planned.instructions) {
    try {
      stage = convertStep(stage, step, withSources(common, step, planned));
    } catch (error) {
      throw placed(error, step.instruction.lines, scope.errorFile);
    }
  }
  return stage;
}

/** What the stage begins with; the base's configuration holds for its steps. */
function beginStage(planned: PlannedStage, scope: StageScope): Stage {
  const begun =
    planned.base === undefined ? fromImage(planned, scope) : fromStage(planned.base, scope);
  let stage = withPath(begun);
  let { files } = stage;
  for (const entry of stage.config.Env ?? []) files = files.env(...splitVariable(entry));
  stage = changed(stage, { files });
  const { WorkingDir = "", User = "" } = stage.config;
  if (WorkingDir !== "") stage = withWorkingDir(stage, WorkingDir);
  return User === "" ? stage : withUser(stage, User);
}

function fromImage({ start, shownName }: PlannedStage, { epoch }: StageScope): Stage {
  if (start === undefined)
    throw new Error(`stage ${shownName} is converted before its base is known`);
  // Its triggers are instructions of this stage by now.
  const { OnBuild: _, ...config } = start.image.config ?? {};
  return stageOn({ ...start, epoch }, { ...start.image, config });
}

function fromStage(base: PlannedStage, { epoch }: StageScope): Stage {
  if (base.end === undefined)
    throw dockerfileError(`stage "${base.shownName}" is used before it is defined`);
  const { OnBuild: _, ...config } = base.end.config;
  return { ...base.end, config, steps: 0, last: {}, epoch };
}

function withPath(stage: Stage): Stage {
  const { Env = [] } = stage.config;
  const set = Env.some((entry) => splitVariable(entry)[0] === "PATH");
  return set || stage.platform.os === "windows"
    ? stage
    : configured(stage, { Env: [...Env, defaultPath] });
}

function convertStep(stage: Stage, { instruction }: PlannedInstruction, env: ConvertEnv): Stage {
  const expanded = expandInstruction(instruction, {
    word: (word) => env.expandNoted(word, stage, instruction),
    content: (content) => env.expandContentNoted(content, stage, instruction),
  });
  return convertInstruction(stage, expanded, env);
}

/** The environment of one step, which is the stage's unless the step reads from elsewhere. */
function withSources(
  common: ConvertEnv,
  step: PlannedInstruction,
  planned: PlannedStage,
): ConvertEnv {
  const { sources, onBuild } = step;
  if (sources.length === 0 && !onBuild) return common;
  return { ...common, sources: sources.map((source) => filesOf(source, planned, step)), onBuild };
}

function environmentOf(planned: PlannedStage, scope: StageScope): ConvertEnv {
  const { options, platforms, context, globalArgs, expander, linter, sourceFile } = scope;
  return {
    options,
    platforms,
    context,
    globalArgs,
    linter,
    sourceFile,
    sources: [],
    used: planned.used,
    naming: {
      stageName: planned.shownName,
      total: planned.steps,
      showPlatform: options.multiPlatform === true,
      hostPlatform: platforms.build[0],
    },
    onBuild: false,
    runSettings: runSettings(options, planned.ignoreCache),
    ignoreCache: planned.ignoreCache,
    outline: planned.outline,
    expand: (word, variables, how) => expander.expand(word, variables, how).word,
    expandNoted: (word, stage, { lines }) =>
      isPlain(word) ? word : noted(expander.expand, word, stage, lines, linter).word,
    expandListNoted: (word, stage, { lines }) =>
      noted(expander.split, word, stage, lines, linter).words,
    expandContentNoted: (word, stage, { lines }) =>
      noted(expander.expandContent, word, stage, lines, linter).word,
  };
}

function filesOf(
  source: PlannedStage,
  stage: PlannedStage,
  { instruction }: PlannedInstruction,
): SourceFiles {
  if (source.end !== undefined) return { files: source.end.files, used: source.used };
  const name = source.name || source.shownName;
  throw dockerfileError(
    instruction.kind === "run"
      ? `cannot mount from stage "${name}", stage needs to be defined before current command`
      : `cannot copy from stage "${name}", it needs to be defined before current stage "${stage.shownName}"`,
    `Move stage "${name}" above.`,
  );
}

/** Expands, and warns of variables that nothing defines, also where the word cannot be expanded. */
function noted<Kind extends Replacement>(
  expand: (word: string, variables: Variables) => Kind,
  word: string,
  stage: Stage,
  lines: LineRange,
  linter: Linter,
): Kind {
  try {
    const expansion = expand(word, stage.files.variables);
    if (expansion.unmatched.size > 0) warnOfVariables(expansion.unmatched, stage, lines, linter);
    return expansion;
  } catch (error) {
    if (error instanceof ExpansionError) warnOfVariables(error.unmatched, stage, lines, linter);
    throw error;
  }
}

function warnOfVariables(
  unmatched: ReadonlySet<string>,
  { files: { variables }, args }: Stage,
  lines: LineRange,
  linter: Linter,
): void {
  warnOfUndefined(unmatched, { variables, args, lines }, linter);
}
