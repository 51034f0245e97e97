// The environment in which the instructions of one stage are converted.
import type { SourceFile } from "../../llb/index.ts";
import type { LineRange } from "../ast.ts";
import type { InstructionBase } from "../instructions/index.ts";
import type { Linter } from "../lint/index.ts";
import { ExpansionError, isPlain, type Replacement } from "../shell-words.ts";
import type { BuildContext, UsedPaths } from "./build-context.ts";
import type { Variables } from "./env.ts";
import type { ConvertEnv, OutlineNotes, SourceFiles } from "./environment.ts";
import type { Expander, ExpandOptions } from "./expand.ts";
import { warnOfUndefined } from "./lint-variables.ts";
import type { ConvertOptions } from "./options.ts";
import type { PlannedInstruction, PlannedStage } from "./plan.ts";
import type { BuildPlatforms } from "./platforms.ts";
import { dockerfileError, type ErrorFile } from "./problem.ts";
import type { RunSettings } from "./run.ts";
import type { Stage } from "./stage.ts";
import type { StepNaming } from "./step-name.ts";

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
  readonly runSettings: RunSettings;
}

const none: readonly never[] = [];

export class StageEnvironment implements ConvertEnv {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly context: BuildContext;
  readonly globalArgs: Variables;
  readonly used: UsedPaths;
  readonly naming: StepNaming;
  readonly runSettings: RunSettings;
  readonly ignoreCache: boolean;
  readonly sourceFile: SourceFile;
  readonly linter: Linter;
  readonly outline: OutlineNotes;
  sources: readonly SourceFiles[] = none;
  onBuild = false;
  readonly #expander: Expander;
  readonly #planned: PlannedStage;

  constructor(planned: PlannedStage, scope: StageScope) {
    const { options, platforms } = scope;
    this.options = options;
    this.platforms = platforms;
    this.context = scope.context;
    this.globalArgs = scope.globalArgs;
    this.used = planned.used;
    this.naming = {
      stageName: planned.shownName,
      total: planned.steps,
      showPlatform: options.multiPlatform === true,
      hostPlatform: platforms.build[0],
    };
    this.runSettings = scope.runSettings;
    this.ignoreCache = planned.ignoreCache;
    this.sourceFile = scope.sourceFile;
    this.linter = scope.linter;
    this.outline = planned.outline;
    this.#expander = scope.expander;
    this.#planned = planned;
  }

  /** Goes on to an instruction: what it reads from must have been converted. */
  enter(step: PlannedInstruction): void {
    this.sources =
      step.sources.length === 0
        ? none
        : step.sources.map((source) => filesOf(source, this.#planned, step));
    this.onBuild = step.onBuild;
  }

  expand(word: string, variables: Variables, options?: ExpandOptions): string {
    return isPlain(word) ? word : this.#expander.expand(word, variables, options).word;
  }

  expandNoted(word: string, stage: Stage, { lines }: InstructionBase): string {
    return isPlain(word) ? word : this.#noted(this.#expander.expand, word, stage, lines).word;
  }

  expandList(word: string, variables: Variables): readonly string[] {
    return this.#expander.split(word, variables).words;
  }

  expandContentNoted(content: string, stage: Stage, { lines }: InstructionBase): string {
    return this.#noted(this.#expander.expandContent, content, stage, lines).word;
  }

  /** Expands, and warns of variables that nothing defines, also where the word cannot be expanded. */
  #noted<Kind extends Replacement>(
    expand: (word: string, variables: Variables) => Kind,
    word: string,
    stage: Stage,
    lines: LineRange,
  ): Kind {
    try {
      const expansion = expand(word, stage.files.variables);
      warnOfUndefined(expansion.unmatched, stage, lines, this.linter);
      return expansion;
    } catch (error) {
      if (error instanceof ExpansionError)
        warnOfUndefined(error.unmatched, stage, lines, this.linter);
      throw error;
    }
  }
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
