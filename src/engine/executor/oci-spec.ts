// The OCI runtime configuration (config.json) of one step: a pure function of what the step asks and what the host can do.
import { unreachable } from "../../base/index.ts";
import { defaultCapabilities } from "./capabilities.ts";
import type { ProcessSpec } from "./executor.ts";
import type { SpecDevice } from "./insecure-devices.ts";
import {
  type CgroupSetting,
  kernelMounts,
  maskedPaths,
  readonlyPaths,
  type SpecMount,
} from "./kernel-files.ts";
import { defaultHostname } from "./network/hosts.ts";
import { type SeccompProfile, seccompProfile } from "./seccomp.ts";
import type { Rlimit } from "./ulimits.ts";
import type { User } from "./user.ts";

/** What this machine allows and the step's surroundings, found out before. */
export interface SpecSetting {
  /** Host path of the assembled root file system. */
  readonly rootfs: string;
  /** Runs before those of devices. */
  readonly rootHook?: Hook;
  readonly user: User;
  readonly rlimits: readonly Rlimit[];
  /** What lies below /dev, /proc or /sys, which only the runtime can mount upon. */
  readonly mounts: readonly SpecMount[];
  /** Capabilities that this process can hand on. */
  readonly bounding: ReadonlySet<string>;
  /** GOARCH name of the machine, not of the image. */
  readonly machine: string;
  readonly cgroup: CgroupSetting;
  /** The machine's, one of its own with loopback alone, or one that is prepared. */
  readonly network:
    | { readonly type: "host" }
    | { readonly type: "new" }
    | { readonly type: "join"; readonly path: string };
  readonly seccomp: SeccompSetting;
  /** `one`: there is no user but root here. */
  readonly owners: "many" | "one";
  /** Where in the step apt finds that it has no user of its own to turn into. */
  readonly aptConfig?: string;
  readonly terminal: boolean;
  /** What a step has that may do anything. */
  readonly insecureDevices?: readonly SpecDevice[];
  /** Variables of a first program that traces all others, also those that have become another user; they go before all. */
  readonly tracer?: readonly string[];
}

/** The filter as rules for the runtime to compile, compiled (base64, crun only), or none where the kernel has no seccomp. */
export type SeccompSetting =
  | { readonly type: "rules" }
  | {
      readonly type: "compiled";
      readonly program: string;
      /** Path of the socket that is handed the listener of a filter that asks. */
      readonly receiver?: string;
    }
  | { readonly type: "none" };

/** The parts of the OCI runtime specification (config.md, config-linux.md) that Kiln writes. */
export interface OciSpec {
  readonly ociVersion: string;
  readonly process: {
    readonly terminal: boolean;
    readonly consoleSize?: { readonly height: number; readonly width: number };
    readonly user: {
      readonly uid: number;
      readonly gid: number;
      readonly additionalGids: readonly number[];
    };
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
    readonly capabilities: Readonly<
      Record<"bounding" | "effective" | "permitted", readonly string[]> &
        Partial<Record<"inheritable" | "ambient", readonly string[]>>
    >;
    readonly rlimits: readonly Rlimit[];
  };
  readonly root: { readonly path: string };
  readonly hooks?: Readonly<Record<string, readonly Hook[]>>;
  readonly hostname: string;
  readonly mounts: readonly SpecMount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: {
    readonly namespaces: readonly Namespace[];
    readonly devices?: readonly SpecDevice[];
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    readonly cgroupsPath?: string;
    readonly seccomp?: SeccompProfile;
  };
}

/** A program of the host that the runtime runs in the step's mount namespace, before its root becomes the root. */
export interface Hook {
  readonly path: string;
  readonly args: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

/** One of the step's own, or the one at `path`. */
export interface Namespace {
  readonly type: string;
  readonly path?: string;
}

/** What programs are searched in when the image does not set PATH. */
export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Without it the terminal that a runtime opens has no size at all. */
function consoleSizeOf(
  { io }: ProcessSpec,
  { terminal }: Pick<SpecSetting, "terminal">,
): Pick<OciSpec["process"], "consoleSize"> {
  if (!terminal || !io?.terminal) return {};
  return { consoleSize: { height: io.terminal.rows, width: io.terminal.columns } };
}

/** Docker's and the reference's defaults for everything that `process` leaves open. */
export function ociSpec(process: ProcessSpec, setting: SpecSetting): OciSpec {
  const sandboxed = isSandboxed(process);
  const wanted = [...(sandboxed ? defaultCapabilities : setting.bounding)];
  if (setting.tracer && !wanted.includes("CAP_SYS_PTRACE")) wanted.push("CAP_SYS_PTRACE");
  const capabilities = wanted.filter((one) => setting.bounding.has(one));
  const compiled = sandboxed && setting.seccomp.type === "compiled" ? setting.seccomp : undefined;
  const rules = sandboxed && setting.seccomp.type === "rules";
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: setting.terminal,
      ...consoleSizeOf(process, setting),
      user:
        setting.owners === "one"
          ? { uid: 0, gid: 0, additionalGids: [] }
          : {
              uid: setting.user.uid,
              gid: setting.user.gid,
              additionalGids: [...setting.user.additionalGids, ...(process.additionalGids ?? [])],
            },
      args: process.args,
      env: environment(process.env, setting),
      cwd: process.cwd === "" ? "/" : process.cwd,
      capabilities: {
        ...{ bounding: capabilities, effective: capabilities, permitted: capabilities },
        // Users other than root keep them too. A sandbox has none that are inherited: they would survive the exec of a program
        // with file capabilities (CVE-2022-27651).
        ...(sandboxed ? {} : { inheritable: capabilities, ambient: capabilities }),
      },
      rlimits: setting.rlimits,
    },
    root: { path: setting.rootfs },
    ...allHooks(process, setting.rootHook),
    hostname: process.hostname || defaultHostname,
    mounts: [...kernelMounts(process, setting, sandboxed), ...setting.mounts],
    ...(compiled === undefined ? {} : { annotations: filterAnnotations(compiled) }),
    linux: {
      namespaces: namespaces(setting),
      ...(sandboxed ? {} : { devices: setting.insecureDevices ?? [] }),
      maskedPaths: sandboxed ? maskedPaths : [],
      readonlyPaths: sandboxed ? readonlyPaths : [],
      ...(setting.cgroup.path === undefined ? {} : { cgroupsPath: setting.cgroup.path }),
      ...(rules ? { seccomp: seccompProfile(setting.machine, setting) } : {}),
    },
  };
}

/** The value of a variable in a list of `NAME=value`, the last one given; PATH has a default. */
export function environmentValue(env: readonly string[], name: string): string {
  const last = env.findLast((one) => one.startsWith(`${name}=`));
  if (last !== undefined) return last.slice(name.length + 1);
  return name === "PATH" ? defaultPath : "";
}

/** crun's ways of getting a filter that is compiled, and of handing its listener over. */
function filterAnnotations({
  program,
  receiver,
}: Extract<SeccompSetting, { type: "compiled" }>): Readonly<Record<string, string>> {
  return {
    "run.oci.seccomp_bpf_data": program,
    ...(receiver === undefined ? {} : { "run.oci.seccomp.receiver": receiver }),
  };
}

function isSandboxed({ security }: ProcessSpec): boolean {
  switch (security) {
    case "sandbox":
      return true;
    case "insecure":
      return false;
    default:
      return unreachable(security);
  }
}

function environment(given: readonly string[], setting: SpecSetting): readonly string[] {
  const has = (name: string) => given.some((one) => one.startsWith(`${name}=`));
  return [
    ...(setting.tracer ?? []),
    ...(has("PATH") ? [] : [`PATH=${defaultPath}`]),
    ...given,
    ...(has("HOME") ? [] : [`HOME=${setting.user.home}`]),
    ...(has("APT_CONFIG") || setting.aptConfig === undefined
      ? []
      : [`APT_CONFIG=${setting.aptConfig}`]),
    ...(setting.terminal && !has("TERM") ? ["TERM=xterm"] : []),
  ];
}

/** Our own first, then those of devices, each at its moment. */
function allHooks({ hooks = [] }: ProcessSpec, own: Hook | undefined): Pick<OciSpec, "hooks"> {
  const all = new Map<string, Hook[]>(own === undefined ? [] : [["createContainer", [own]]]);
  for (const { name, path, args, env, timeout } of hooks) {
    const hook = { path, args, env, ...(timeout === undefined ? {} : { timeout }) };
    all.set(name, [...(all.get(name) ?? []), hook]);
  }
  return all.size === 0 ? {} : { hooks: Object.fromEntries(all) };
}

function namespaces({ cgroup, network }: SpecSetting): readonly Namespace[] {
  const own = ["mount", "pid", "ipc", "uts", ...(cgroup.namespace ? ["cgroup"] : [])];
  const all: Namespace[] = own.map((type) => ({ type }));
  switch (network.type) {
    case "new":
      return [...all, { type: "network" }];
    case "join":
      return [...all, { type: "network", path: network.path }];
    case "host":
      return all;
    default:
      return unreachable(network);
  }
}
