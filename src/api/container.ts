// Containers beside a build: a process looks at what was solved, or at the state in which a step failed.
import type { Call, Digest } from "../base/index.ts";
import type { ExecOp } from "../formats/llb/index.ts";
import type { Platform } from "../formats/oci/index.ts";
import type { ResultRef } from "./bridge.ts";
import type { Attrs } from "./builder.ts";

/** The mounts of a container; its processes come later. */
export interface ContainerRequest {
  /** `input` and `output` of mounts are not looked at. */
  readonly op: Pick<ExecOp, "mounts" | "network" | "extraHosts" | "hostname">;
  /** What lies below each mount, by its place; undefined is empty. What processes write is thrown away with the container. */
  readonly refs: readonly (ResultRef | undefined)[];
  /** The builder's own where absent. */
  readonly platform?: Platform;
}

/** A terminal's size in cells. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface ContainerProcess {
  readonly op: Pick<
    ExecOp,
    "args" | "env" | "cwd" | "user" | "security" | "secretEnv" | "ulimits" | "cgroupParent"
  >;
  /** With one, input, output and errors are the terminal, and all output is of stream 1. */
  readonly terminal?: TerminalSize;
  /** Ends when the input does; empty where absent. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Takes what the process says; it waits while a promise is pending. */
  readonly output: (stream: 1 | 2, data: Uint8Array) => Promise<void> | void;
}

/** A process that has been started. */
export interface RunningProcess {
  /** Exit code; 128 + n for signal n. Rejects when the process could not be started, or its call was cancelled. */
  readonly exit: Promise<number>;
  /** A name such as `SIGTERM`. Nothing happens once the process has ended. */
  signal(name: string): void;
  resize(size: TerminalSize): void;
}

/** Disposing it kills what runs in it, and throws its files away. */
export interface Container extends AsyncDisposable {
  /** The first process decides about the container's life: when it has ended, nothing more can be started. */
  start(process: ContainerProcess, call: Call): RunningProcess;
  /** The files as the processes see them, by mount; undefined for what is no snapshot. */
  readonly files: readonly (ResultRef | undefined)[];
}

/** What a step that failed left, whatever kind of step it was. */
export interface FailedWork {
  readonly step: Digest;
  /** The op's own bytes. */
  readonly encoded: Uint8Array;
  /** Words for people, by key. */
  readonly description: Attrs;
  /** What it read: by mount of a process, else by input of the op. */
  readonly inputs: readonly (ResultRef | undefined)[];
  /** How it left them: by mount of a process, by action of changes to files. */
  readonly states: readonly (ResultRef | undefined)[];
  /** Which of its actions failed, or the content of which of its inputs could not be read. */
  readonly subject?: { readonly kind: "file" | "content"; readonly index: number };
}

/** A step that failed in this build, with the files as they were then. */
export interface FailedStep {
  readonly step: Digest;
  readonly name: string;
  readonly op: ExecOp;
  /** The op's own bytes. */
  readonly encoded: Uint8Array;
  readonly platform: Platform;
  /** By mount: the state at failure, and what the step began with. */
  readonly states: readonly (ResultRef | undefined)[];
  readonly inputs: readonly (ResultRef | undefined)[];
}
