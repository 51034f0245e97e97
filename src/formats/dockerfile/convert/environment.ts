// What an instruction's converter may use besides the stage it changes.
import type { SourceFile, State } from "../../llb/index.ts";
import type { LineRange } from "../ast.ts";
import type { InstructionBase } from "../instructions/index.ts";
import type { Linter } from "../lint/linter.ts";
import type { BuildContext, UsedPaths } from "./build-context.ts";
import type { Variables } from "./env.ts";
import type { ExpandOptions } from "./expand.ts";
import type { ConvertOptions } from "./options.ts";
import type { BuildPlatforms } from "./platforms.ts";
import type { RunSettings } from "./run.ts";
import type { Stage } from "./stage.ts";
import type { StepNaming } from "./step-name.ts";

/** Files of another stage, an image or a named context that an instruction reads. */
export interface SourceFiles {
  readonly files: State;
  /** Takes note of what is read: a lent directory sends only that. */
  readonly used: UsedPaths;
}

export interface ConvertEnv {
  readonly options: ConvertOptions;
  readonly platforms: BuildPlatforms;
  readonly context: BuildContext;
  /** Arguments declared before the first FROM, and the predefined ones. */
  readonly globalArgs: Variables;
  /** By mount, whether it names one or not, or of `--from`, where there is one. */
  readonly sources: readonly SourceFiles[];
  /** Notes what of this stage's own files is used. */
  readonly used: UsedPaths;
  readonly naming: StepNaming;
  readonly onBuild: boolean;
  readonly runSettings: RunSettings;
  /** Steps of the stage run even when cached. */
  readonly ignoreCache: boolean;
  readonly sourceFile: SourceFile;
  readonly linter: Linter;
  readonly outline: OutlineNotes;
  /** Expands one word with the file's escape character. Throws an `ExpansionError`. */
  expand(word: string, variables: Variables, options?: ExpandOptions): string;
  /** As `expand` with the stage's variables, and warns of those that nothing defines. */
  expandNoted(word: string, stage: Stage, instruction: InstructionBase): string;
  /** As `expand`, splitting at blanks that are not quoted. */
  expandList(word: string, variables: Variables): readonly string[];
  /** As `expandNoted`, for the content of inline files. */
  expandContentNoted(content: string, stage: Stage, instruction: InstructionBase): string;
}

/** Takes note of what an outline tells of a stage. */
export interface OutlineNotes {
  arg(
    name: string,
    arg: {
      readonly doc: string;
      readonly value: string | undefined;
      readonly lines: LineRange;
      readonly inherited: boolean;
    },
  ): void;
  secret(id: string, secret: { readonly lines: LineRange; readonly required: boolean }): void;
  ssh(id: string, ssh: { readonly lines: LineRange; readonly required: boolean }): void;
}

/** Does to a stage what one kind of instruction says. */
export type Converter<I> = (stage: Stage, instruction: I, env: ConvertEnv) => void;
