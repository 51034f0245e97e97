// What a stage is so far: files, configuration, and what later instructions must know. Instructions make new values.
import type { State } from "../../llb/index.ts";
import type { ContainerConfig, HistoryEntry, ImageConfig, Platform } from "../../oci/index.ts";
import type { LineRange } from "../ast.ts";

/** An argument that the stage declared; the value is what it was then. */
export interface DeclaredArg {
  readonly name: string;
  readonly value: string | undefined;
}

export interface Stage {
  readonly files: State;
  /** What of the image's configuration is in none of the next two. */
  readonly image: Omit<ImageConfig, "config" | "history">;
  readonly config: ContainerConfig;
  readonly history: HistoryList;
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

/** Entries of a history; longer ones share the entries of those that they were made from. */
export interface HistoryList {
  readonly entries: HistoryEntry[];
  /** How many of the entries count. */
  readonly length: number;
}

/** The history with one entry more. Entries behind the end of one list belong to another, and are not touched. */
export function withEntry({ entries, length }: HistoryList, entry: HistoryEntry): HistoryList {
  const own = entries.length === length ? entries : entries.slice(0, length);
  own.push(entry);
  return { entries: own, length: length + 1 };
}

/** What a stage begins as that stands on an image. */
export function stageOn(
  base: Pick<Stage, "files" | "platform" | "baseImage" | "steps" | "epoch">,
  { config = {}, history = [], ...image }: ImageConfig,
): Stage {
  const { files, platform, baseImage, steps, epoch } = base;
  return {
    files,
    image,
    config,
    history: { entries: [...history], length: history.length },
    platform,
    args: [],
    historyLength: 0,
    steps,
    workdirSet: false,
    last: {},
    epoch,
    baseImage,
  };
}

/** The stage's image configuration as a whole. */
export function imageOf({ image, config, history: { entries, length } }: Stage): ImageConfig {
  return { ...image, config, ...(length === 0 ? {} : { history: entries.slice(0, length) }) };
}

/** The stage with parts replaced. Written out, so that all stages are made alike, which engines know how to do fast. */
export function changed(stage: Stage, changes: Partial<Stage>): Stage {
  return {
    files: changes.files ?? stage.files,
    image: changes.image ?? stage.image,
    config: changes.config ?? stage.config,
    history: changes.history ?? stage.history,
    platform: stage.platform,
    args: changes.args ?? stage.args,
    historyLength: changes.historyLength ?? stage.historyLength,
    steps: changes.steps ?? stage.steps,
    workdirSet: changes.workdirSet ?? stage.workdirSet,
    last: changes.last ?? stage.last,
    epoch: stage.epoch,
    baseImage: stage.baseImage,
  };
}

/** The stage with parts of its container configuration replaced. */
export function configured(stage: Stage, changes: Partial<ContainerConfig>): Stage {
  return changed(stage, { config: { ...stage.config, ...changes } });
}

/** The shell that shell forms are given to. */
export function shellOf(stage: Stage): readonly string[] {
  const shell = stage.config.Shell ?? [];
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
