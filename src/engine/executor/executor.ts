// Running one process of a step in a container of its own.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { StepCall, StepResources } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { Mount } from "../../storage/snapshot/index.ts";

export interface ProcessSpec {
  readonly args: readonly string[];
  /** `NAME=value`, in order. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** The root is seen read-only, whatever lies behind it. */
  readonly readonlyRoot?: boolean;
  /** `user[:group]`, names or ids, looked up in the root file system's passwd and group; empty is root. */
  readonly user?: string;
  readonly hostname?: string;
  readonly network: "default" | "host" | "none";
  /** The only way out: `network` says which way it has itself, and must not be `none`. */
  readonly proxy?: StepProxy;
  readonly security: "sandbox" | "insecure";
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits?: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  readonly shmSize?: number;
  readonly cgroupParent?: string;
  readonly resources?: StepResources;
  /** Groups beside those of the user. */
  readonly additionalGids?: readonly number[];
  /** Programs of the machine that the runtime runs on the way, by the OCI name of the moment. */
  readonly hooks?: readonly ProcessHook[];
  /** Exit codes that count as success; only 0 where absent. */
  readonly validExitCodes?: readonly number[];
  /** What the programs were built for; decides whether and how they are emulated. */
  readonly platform: Platform;
  readonly platformWords?: string;
  /** How often this was tried before with other emulators; see `Executor.emulatorOf`. */
  readonly attempt?: number;
  /** Attached to our own streams instead of to the step's log; `output` without input. For `kiln run`. */
  readonly stdio?: "log" | "inherit" | "output";
  /** In the place of `stdio`. */
  readonly io?: ProcessIo;
}

/** Somebody else's input and output. */
export interface ProcessIo {
  /** With one, all three streams are a terminal of that size, and all output is of stream 1. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  readonly input?: AsyncIterable<Uint8Array>;
  readonly output: (stream: 1 | 2, data: Uint8Array) => Promise<void> | void;
  /** Called once the process is being started. */
  readonly started?: (control: ProcessControl) => void;
}

export interface ProcessControl {
  /** Such as `SIGTERM`. */
  signal(name: string): void;
  resize(size: { readonly rows: number; readonly columns: number }): void;
}

/** As in the OCI runtime specification; `timeout` in seconds. */
export interface ProcessHook {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeout: number | undefined;
}

/** A proxy that a process's requests go through, instead of a network. */
export interface StepProxy {
  /** PEM text of the authority that signs what the proxy shows in the name of other servers. */
  readonly authority: string;
  /** Serves whoever connects to a listening socket, whose descriptor becomes the proxy's, until it is disposed. */
  serve(listener: number, egress: Egress): AsyncDisposable;
}

/** The way out of a proxy. */
export interface Egress {
  /** Whether loopback and link-local addresses, which are the machine's, may be reached. */
  readonly machine: boolean;
  /** Names that are not looked up. */
  readonly hosts: readonly { readonly host: string; readonly ip: string }[];
  /** A socket that is not connected yet. */
  socket(family: 4 | 6): Promise<Socket>;
}

/** Something that the process sees below `target`. */
export interface ExecMount {
  readonly target: string;
  readonly readonly: boolean;
  readonly what:
    | {
        readonly type: "snapshot";
        readonly mounts: readonly Mount[] /** Path inside, resolved within it. */;
        readonly selector?: string;
      }
    | {
        readonly type: "directory";
        readonly path: string;
        readonly selector?: string;
        /** Device nodes in it can be opened. */
        readonly devices?: boolean;
      }
    | {
        readonly type: "file";
        readonly data: Uint8Array;
        readonly mode: number;
        readonly uid: number;
        readonly gid: number;
      }
    | {
        readonly type: "socket";
        /** Called for every connection; what it gives becomes the executor's. */
        readonly connect: () => Duplex;
        readonly mode: number;
        readonly uid: number;
        readonly gid: number;
      }
    | { readonly type: "tmpfs"; readonly size?: number };
}

export interface ResourceUsage {
  readonly exitCode: number;
  readonly wallMs: number;
}

export interface Executor extends AsyncDisposable {
  readonly name: "crun" | "runc" | "proot";
  /** What runs here: native first, then what emulation adds. */
  platforms(call: Call): Promise<readonly Platform[]>;
  /** Throws `EMULATOR_MISSING`, with the command that fixes it, when `platform`'s programs cannot run here. */
  checkPlatform(platform: Platform, call: Call): Promise<void>;
  /**
   * Name and version of what emulates `platform`'s programs, such as `qemu-aarch64 7.2.22`; undefined where they run natively.
   * At a later `attempt` (1, ...), that of the next one that was named for the processor; undefined when there is none.
   * Throws as `checkPlatform`.
   */
  emulatorOf(platform: Platform, call: Call, attempt?: number): Promise<string | undefined>;
  /** Starts what processes like that will wait for; what fails of it fails again in `run`. */
  prepare?(process: Pick<ProcessSpec, "network">): void;
  /** Rejects with `PROCESS_FAILED` or `EMULATOR_CRASHED` (details: exitCode) on a bad exit. Aborting kills the whole process tree. */
  run(
    process: ProcessSpec,
    rootfs: readonly Mount[],
    mounts: readonly ExecMount[],
    call: StepCall,
  ): Promise<ResourceUsage>;
}
