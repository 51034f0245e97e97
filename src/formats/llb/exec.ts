// The vertex that runs a process.
import { KilnError } from "../../base/index.ts";
import type { Platform } from "../oci/index.ts";
import { capsOf } from "./exec-caps.ts";
import type { OpWriter } from "./op-writer.ts";
import type { ProxyEnv } from "./ops.ts";
import {
  type Constraints,
  distinctOutputs,
  type OpScope,
  type Output,
  type Vertex,
} from "./vertex.ts";

/** A file system that the process sees below `target`, besides its root. */
export interface MountSpec {
  /** Absolute. */
  readonly target: string;
  /** Absent is the empty file system. */
  readonly source?: Output | undefined;
  /** Path in the source; absent is all of it. */
  readonly selector?: string | undefined;
  readonly readonly?: boolean | undefined;
  /** Changes are thrown away. */
  readonly noOutput?: boolean | undefined;
  readonly cache?:
    | { readonly id: string; readonly sharing: "shared" | "private" | "locked" }
    | undefined;
  /** Bytes; 0 for no limit. */
  readonly tmpfs?: { readonly size: number } | undefined;
}

/** A secret as a file (`target`), as a variable (`env`), or both. */
export interface SecretSpec {
  readonly id: string;
  readonly target?: string;
  readonly env?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly optional?: boolean;
}

export interface SshSpec {
  readonly id: string;
  readonly target: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly optional?: boolean;
}

/** What a process is besides its root file system, directory, environment and user, which the state has. */
export interface RunOptions extends Constraints {
  /** Variables of this process only, after the state's. */
  readonly env?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly mounts?: readonly MountSpec[] | undefined;
  readonly secrets?: readonly SecretSpec[] | undefined;
  readonly ssh?: readonly SshSpec[] | undefined;
  readonly network?: "sandbox" | "host" | "none" | undefined;
  readonly security?: "sandbox" | "insecure" | undefined;
  readonly devices?: readonly { readonly name: string; readonly optional: boolean }[];
  readonly proxyEnv?: ProxyEnv | undefined;
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[] | undefined;
  readonly ulimits?:
    | readonly {
        readonly name: string;
        readonly soft: number;
        readonly hard: number;
      }[]
    | undefined;
  readonly hostname?: string | undefined;
  readonly cgroupParent?: string | undefined;
  readonly validExitCodes?: readonly number[] | undefined;
  readonly readonlyRoot?: boolean | undefined;
}

export interface ExecSpec {
  readonly root: Output | undefined;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly platform: Platform | undefined;
  readonly options: RunOptions;
}

/** A vertex whose output 0 is the changed root file system. */
export class ExecVertex implements Vertex {
  readonly constraints: RunOptions;
  readonly platform: Platform | undefined;
  readonly caps: readonly string[];
  readonly inputs: readonly Output[];
  readonly #spec: ExecSpec;
  /** By target. */
  readonly #mounts: readonly MountSpec[];

  constructor(spec: ExecSpec) {
    const { options, platform, root: source } = spec;
    const root: MountSpec = { target: "/", source, readonly: options.readonlyRoot };
    const mounts = [root, ...(options.mounts ?? [])];
    if (mounts.length > 1) mounts.sort((a, b) => compare(a.target, b.target));
    this.constraints = options;
    this.platform = platform;
    this.caps = capsOf(mounts, options);
    this.inputs = distinctOutputs(mounts.map((mount) => mount.source));
    this.#spec = spec;
    this.#mounts = mounts;
  }

  write(op: OpScope): void {
    writeExec(this.#spec, this.#mounts, op);
  }
}

// Numbers of fields and the order in which they stand are those of solver/pb/ops.proto.

function writeExec(spec: ExecSpec, mounts: readonly MountSpec[], op: OpScope): void {
  if (spec.args.length === 0) throw noArguments(spec.options);
  const { secrets, ssh, network, security, devices } = spec.options;
  const inputs = mounts.map(({ source }) => op.input(source));
  const to = op.begin("exec", true);
  to.begin(1);
  writeMeta(to, spec);
  to.end();
  let outputs = 0;
  for (const [at, mount] of mounts.entries()) {
    const hasOutput = !(mount.noOutput || mount.readonly || mount.cache || mount.tmpfs);
    writeMount(to, mount, inputs[at] ?? -1, hasOutput ? outputs++ : -1);
  }
  for (const secret of secrets ?? []) writeSecret(to, secret);
  for (const agent of ssh ?? []) writeLent(to, MOUNT_SSH, { mode: 0o600, ...agent });
  to.number(3, networks[network ?? "sandbox"]);
  to.number(4, security === "insecure" ? 1 : 0);
  for (const { id, env, optional } of secrets ?? []) {
    if (env === undefined) continue;
    to.begin(5);
    to.text(1, id);
    to.text(2, env);
    to.flag(3, optional);
    to.end();
  }
  for (const { name, optional } of devices ?? []) {
    to.begin(6);
    to.text(1, name);
    to.flag(2, optional);
    to.end();
  }
}

/** A process must be some program: told as soon as the definition is written, as by BuildKit. */
function noArguments({ locations = [] }: RunOptions): KilnError {
  const [place] = locations;
  const line = place?.ranges[0]?.start.line;
  const at =
    place === undefined || line === undefined
      ? {}
      : {
          at: {
            file: place.file.filename,
            line,
            text: new TextDecoder().decode(place.file.data),
          },
        };
  return new KilnError("DOCKERFILE_INVALID", "a step has no arguments: there is nothing to run", {
    ...at,
    hint: "Give it a command.",
  });
}

const networks = { sandbox: 0, host: 1, none: 2 } as const;

function writeMeta(to: OpWriter, { args, env, cwd, user, options }: ExecSpec): void {
  to.texts(1, args);
  to.texts(2, env);
  to.text(3, cwd);
  to.text(4, user);
  if (options.proxyEnv) {
    const { http, https, ftp, no, all } = options.proxyEnv;
    to.begin(5);
    for (const [at, value] of [http, https, ftp, no, all].entries()) to.text(at + 1, value);
    to.end();
  }
  for (const { host, ip } of options.extraHosts ?? []) {
    to.begin(6);
    to.text(1, host);
    to.text(2, ip);
    to.end();
  }
  to.text(7, options.hostname ?? "");
  for (const { name, soft, hard } of options.ulimits ?? []) {
    to.begin(9);
    to.text(1, name);
    to.number(2, soft);
    to.number(3, hard);
    to.end();
  }
  to.text(10, options.cgroupParent ?? "");
  // Empty directories and files that mounts left behind are removed.
  to.flag(11, true);
  to.numbers(12, options.validExitCodes);
}

const MOUNT_BIND = 0;
const MOUNT_SECRET = 1;
const MOUNT_SSH = 2;
const MOUNT_CACHE = 3;
const MOUNT_TMPFS = 4;

function writeMount(to: OpWriter, mount: MountSpec, input: number, output: number): void {
  const { target, selector = "", readonly, cache, tmpfs } = mount;
  to.begin(2);
  to.number(1, input);
  to.text(2, selector);
  to.text(3, target);
  to.number(4, output);
  to.flag(5, readonly);
  to.number(6, tmpfs ? MOUNT_TMPFS : cache ? MOUNT_CACHE : MOUNT_BIND);
  if (tmpfs) {
    to.begin(19);
    to.number(1, tmpfs.size);
    to.end();
  }
  if (cache) {
    to.begin(20);
    to.text(1, cache.id);
    to.number(2, sharings[cache.sharing]);
    to.end();
  }
  to.end();
}

const sharings = { shared: 0, private: 1, locked: 2 } as const;

function writeSecret(to: OpWriter, { target, ...secret }: SecretSpec): void {
  if (target !== undefined) writeLent(to, MOUNT_SECRET, { mode: 0o400, ...secret, target });
}

/** The mount of a secret or of an agent's socket. */
function writeLent(
  to: OpWriter,
  type: typeof MOUNT_SECRET | typeof MOUNT_SSH,
  { id, target, uid = 0, gid = 0, mode, optional }: SshSpec & { readonly mode: number },
): void {
  to.begin(2);
  to.number(1, -1);
  to.text(3, target);
  to.number(6, type);
  to.begin(type === MOUNT_SECRET ? 21 : 22);
  to.text(1, id);
  to.number(2, uid);
  to.number(3, gid);
  to.number(4, mode);
  to.flag(5, optional);
  to.end();
  to.end();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
