// What a stage is so far: files, configuration, and what later instructions must know. Instructions change it.
import type { State } from "../../llb/index.ts";
import type { ContainerConfig, HistoryEntry, ImageConfig, Platform } from "../../oci/index.ts";
import type { LineRange } from "../ast.ts";
import { GrowingList } from "./growing-list.ts";
import { dockerfileError } from "./problem.ts";

/** Longest history of a stage, in UTF-16 units: every value that instructions set stands in it. */
export const MAX_HISTORY: number = 32 * 1024 * 1024;

const comment = "buildkit.dockerfile.v0";

/** An argument that the stage declared; the value is what it was then. */
export interface DeclaredArg {
  readonly name: string;
  readonly value: string | undefined;
}

/** An image's configuration in the parts that instructions change; without the time when it was made. */
export interface ImageParts {
  readonly image: Omit<ImageConfig, "config" | "history">;
  readonly config: ContainerConfig;
  readonly history: GrowingList<HistoryEntry>;
}

export function imageParts({ created: _, config, history, ...image }: ImageConfig): ImageParts {
  return { image, config: config ?? {}, history: new GrowingList(history) };
}

/** What a stage begins as that stands on an image. */
export interface StageStart extends ImageParts {
  readonly files: State;
  readonly platform: Platform;
  /** Configuration of the image as it was found; none for scratch. */
  readonly baseImage: ImageConfig | undefined;
  /** How many steps of the stage the image was. */
  readonly steps: number;
}

/** Instructions whose places are kept, since of several in one stage only the last counts. */
export type LastKind = "cmd" | "entrypoint" | "healthcheck";

export class Stage {
  files: State;
  image: ImageParts["image"];
  /** Its own; the values are not. */
  readonly config: { -readonly [Key in keyof ContainerConfig]: ContainerConfig[Key] };
  readonly history: GrowingList<HistoryEntry>;
  readonly platform: Platform;
  readonly args: GrowingList<DeclaredArg>;
  /** How many steps it has had. */
  steps: number;
  /** A WORKDIR of this file has set the directory. */
  workdirSet: boolean;
  /** Where the last one of each stands. */
  readonly last: { [Kind in LastKind]: LineRange | undefined } = {
    cmd: undefined,
    entrypoint: undefined,
    healthcheck: undefined,
  };
  /** Configuration of the image that it stands on. */
  readonly baseImage: ImageConfig | undefined;
  /** Time for history entries. */
  readonly epoch: Date | undefined;
  /** How long its own history entries are together. */
  #historyLength: number;

  /** Begins on an image, or where another stage has ended. */
  constructor(base: StageStart | Stage, epoch: Date | undefined) {
    const before = base instanceof Stage ? base : undefined;
    this.files = base.files;
    this.image = base.image;
    this.config = { ...base.config };
    this.history = base.history.copy();
    this.platform = base.platform;
    this.args = before?.args.copy() ?? new GrowingList();
    this.steps = before === undefined ? base.steps : 0;
    this.workdirSet = before?.workdirSet ?? false;
    this.epoch = epoch;
    this.baseImage = base.baseImage;
    this.#historyLength = before === undefined ? 0 : before.#historyLength;
  }

  /** Adds a history entry for an instruction; `layer` says whether it made one. Words and order are the reference's. */
  record(words: string, layer: boolean): void {
    this.#historyLength += words.length;
    if (this.#historyLength > MAX_HISTORY) {
      throw dockerfileError(`the stage's history has more than ${MAX_HISTORY} characters`);
    }
    const entry: HistoryEntry = layer
      ? { created_by: words, comment }
      : { created_by: words, comment, empty_layer: true };
    const { epoch } = this;
    this.history.push(epoch === undefined ? entry : { created: goTime(epoch), ...entry });
  }

  /** As `record`, for instructions that change files by a step of their own. */
  recordStep(words: string): void {
    this.record(`${words} # buildkit`, true);
  }
}

/** RFC 3339 without the fraction that JavaScript writes. */
function goTime(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

/** The stage's image configuration as a whole. */
export function imageOf({ image, config, history }: Stage): ImageConfig {
  return { ...image, config, ...(history.length === 0 ? {} : { history: history.toArray() }) };
}

const usualShell = ["/bin/sh", "-c"] as const;
const windowsShell = ["cmd", "/S", "/C"] as const;

/** The shell that shell forms are given to. */
export function shellOf(stage: Stage): readonly string[] {
  const shell = stage.config.Shell ?? [];
  if (shell.length > 0) return shell;
  return stage.image.os === "windows" ? windowsShell : usualShell;
}

/** Arguments as the process gets them: words of the shell form joined and given to the shell. */
export function commandLine(
  stage: Stage,
  args: readonly string[],
  shellForm: boolean,
): readonly string[] {
  return shellForm ? [...shellOf(stage), args.join(" ")] : args;
}
