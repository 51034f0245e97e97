// What a stage is so far: files, configuration, and what later instructions must know. Instructions make new values.
import type { State } from "../../llb/index.ts";
import type { ContainerConfig, ImageConfig, Platform } from "../../oci/index.ts";
import type { LineRange } from "../ast.ts";

/** An argument that the stage declared; the value is what it was then. */
export interface DeclaredArg {
  readonly name: string;
  readonly value: string | undefined;
}

export interface Stage {
  readonly files: State;
  readonly image: ImageConfig;
  readonly platform: Platform;
  readonly args: readonly DeclaredArg[];
  /** How long its own history entries are together. */
  readonly historyLength: number;
  /** How many steps it has had. */
  readonly steps: number;
  /** A WORKDIR of this file has set the directory. */
  readonly workdirSet: boolean;
  /** Where instructions stand of which only the last counts. */
  readonly last: {
    readonly cmd?: LineRange;
    readonly entrypoint?: LineRange;
    readonly healthcheck?: LineRange;
  };
  /** Time for history entries. */
  readonly epoch: Date | undefined;
  /** Configuration of the image that it stands on. */
  readonly baseImage: ImageConfig | undefined;
}

/** What a stage has before its first instruction and without a stage below it. */
export const untouched = { args: [], workdirSet: false, last: {}, historyLength: 0 } as const;

/** The stage with parts of its container configuration replaced. */
export function configured(stage: Stage, changes: Partial<ContainerConfig>): Stage {
  return { ...stage, image: { ...stage.image, config: { ...stage.image.config, ...changes } } };
}

/** The shell that shell forms are given to. */
export function shellOf(stage: Stage): readonly string[] {
  const shell = stage.image.config?.Shell ?? [];
  if (shell.length > 0) return shell;
  return stage.image.os === "windows" ? ["cmd", "/S", "/C"] : ["/bin/sh", "-c"];
}

/** Arguments as the process gets them: words of the shell form joined and given to the shell. */
export function commandLine(
  stage: Stage,
  args: readonly string[],
  shellForm: boolean,
): readonly string[] {
  return shellForm ? [...shellOf(stage), args.join(" ")] : args;
}
