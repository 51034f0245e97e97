// The vertex that runs a process.
import type { pb } from "../proto/index.ts";
import type { ProxyEnv } from "./ops.ts";
import {
  type Constraints,
  distinctOutputs,
  type EncodeScope,
  InputList,
  type Output,
  type Vertex,
} from "./vertex.ts";

/** A file system that the process sees below `target`, besides its root. */
export interface MountSpec {
  /** Absolute. */
  readonly target: string;
  /** Absent is the empty file system. */
  readonly source?: Output;
  /** Path in the source; absent is all of it. */
  readonly selector?: string;
  readonly readonly?: boolean;
  /** Changes are thrown away. */
  readonly noOutput?: boolean;
  readonly cache?: { readonly id: string; readonly sharing: "shared" | "private" | "locked" };
  /** Bytes; 0 for no limit. */
  readonly tmpfs?: { readonly size: number };
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
  readonly env?: readonly (readonly [name: string, value: string])[];
  readonly mounts?: readonly MountSpec[];
  readonly secrets?: readonly SecretSpec[];
  readonly ssh?: readonly SshSpec[];
  readonly network?: "sandbox" | "host" | "none";
  readonly security?: "sandbox" | "insecure";
  readonly devices?: readonly { readonly name: string; readonly optional: boolean }[];
  readonly proxyEnv?: ProxyEnv;
  readonly extraHosts?: readonly { readonly host: string; readonly ip: string }[];
  readonly ulimits?: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  readonly hostname?: string;
  readonly cgroupParent?: string;
  readonly validExitCodes?: readonly number[];
  readonly readonlyRoot?: boolean;
}

export interface ExecSpec {
  readonly root: Output | undefined;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly options: RunOptions;
}

/** A vertex whose output 0 is the changed root file system. */
export function execVertex(spec: ExecSpec): Vertex {
  const { options } = spec;
  const root: MountSpec = {
    target: "/",
    ...(spec.root === undefined ? {} : { source: spec.root }),
    ...(options.readonlyRoot ? { readonly: true } : {}),
  };
  const mounts = [root, ...(options.mounts ?? [])];
  if (mounts.length > 1) mounts.sort((a, b) => compare(a.target, b.target));
  return {
    constraints: options,
    caps: capsOf(mounts, options),
    inputs: distinctOutputs(mounts.map(({ source }) => source)),
    encode: (scope) => encodeExec(spec, mounts, scope),
  };
}

function capsOf(mounts: readonly MountSpec[], options: RunOptions): string[] {
  const caps = ["exec.meta.base", "exec.meta.setsdefaultpath"];
  const need = (wanted: unknown, cap: string): void => {
    if (wanted) caps.push(cap);
  };
  for (const { selector, cache, tmpfs, source } of mounts) {
    need(selector, "exec.mount.selector");
    if (cache) caps.push("exec.mount.cache", "exec.mount.cache.sharing");
    else if (tmpfs)
      caps.push("exec.mount.tmpfs", ...(tmpfs.size > 0 ? ["exec.mount.tmpfs.size"] : []));
    else need(source, "exec.mount.bind");
  }
  need(options.secrets?.length, "exec.mount.secret");
  need(
    options.secrets?.some(({ env }) => env !== undefined),
    "exec.secretenv",
  );
  need(options.ssh?.length, "exec.mount.ssh");
  need(options.proxyEnv, "exec.meta.proxyenv");
  need((options.network ?? "sandbox") !== "sandbox", "exec.meta.network");
  need((options.security ?? "sandbox") !== "sandbox", "exec.meta.security");
  need(options.ulimits?.length, "exec.meta.ulimit");
  need(options.cgroupParent, "exec.meta.cgroup.parent");
  need(options.devices?.length, "exec.meta.cdi");
  need(options.validExitCodes?.length, "exec.validexitcode");
  return caps;
}

function encodeExec(
  spec: ExecSpec,
  mounts: readonly MountSpec[],
  scope: EncodeScope,
): ReturnType<Vertex["encode"]> {
  const { options } = spec;
  const inputs = new InputList(scope);
  let outputs = 0;
  const encoded = mounts.map((mount) => {
    const hasOutput = !(mount.noOutput || mount.readonly || mount.cache || mount.tmpfs);
    return encodeMount(mount, inputs.add(mount.source), hasOutput ? outputs++ : -1);
  });
  const secrets = options.secrets ?? [];
  return {
    inputs: inputs.messages,
    platformSpecific: true,
    op: {
      $case: "exec",
      value: {
        meta: encodeMeta(spec),
        mounts: [
          ...encoded,
          ...secrets.flatMap(encodeSecret),
          ...(options.ssh ?? []).map(encodeSsh),
        ],
        network: networks[options.network ?? "sandbox"],
        security: options.security === "insecure" ? 1 : 0,
        secretenv: secrets.flatMap(({ id, env, optional }) =>
          env === undefined ? [] : [{ ID: id, name: env, optional: optional === true }],
        ),
        cdiDevices: [...(options.devices ?? [])],
      },
    },
  };
}

const networks = { sandbox: 0, host: 1, none: 2 } as const;

function encodeMeta({ args, env, cwd, user, options }: ExecSpec): pb.Meta {
  const { proxyEnv } = options;
  return {
    args: args as string[],
    env: env as string[],
    cwd,
    user,
    proxyEnv: proxyEnv && {
      httpProxy: proxyEnv.http,
      httpsProxy: proxyEnv.https,
      ftpProxy: proxyEnv.ftp,
      noProxy: proxyEnv.no,
      allProxy: proxyEnv.all,
    },
    extraHosts: (options.extraHosts ?? []).map(({ host, ip }) => ({ Host: host, IP: ip })),
    hostname: options.hostname ?? "",
    ulimit: (options.ulimits ?? []).map(({ name, soft, hard }) => ({
      Name: name,
      Soft: soft,
      Hard: hard,
    })),
    cgroupParent: options.cgroupParent ?? "",
    removeMountStubsRecursive: true,
    validExitCodes: [...(options.validExitCodes ?? [])],
  };
}

const plainMount: pb.Mount = {
  input: -1,
  selector: "",
  dest: "",
  output: 0,
  readonly: false,
  mountType: 0,
  TmpfsOpt: undefined,
  cacheOpt: undefined,
  secretOpt: undefined,
  SSHOpt: undefined,
  resultID: "",
  contentCache: 0,
};

function encodeMount(mount: MountSpec, input: number, output: number): pb.Mount {
  const { target, selector, readonly, cache, tmpfs } = mount;
  const message: pb.Mount = { ...plainMount, input, output, dest: target };
  message.selector = selector ?? "";
  message.readonly = readonly === true;
  if (cache) {
    message.mountType = 3;
    message.cacheOpt = { ID: cache.id, sharing: sharings[cache.sharing] };
  }
  if (tmpfs) {
    message.mountType = 4;
    message.TmpfsOpt = { size: tmpfs.size };
  }
  return message;
}

const sharings = { shared: 0, private: 1, locked: 2 } as const;

function encodeSecret({
  id,
  target,
  uid = 0,
  gid = 0,
  mode = 0o400,
  optional = false,
}: SecretSpec): pb.Mount[] {
  if (target === undefined) return [];
  return [
    { ...plainMount, dest: target, mountType: 1, secretOpt: { ID: id, uid, gid, mode, optional } },
  ];
}

function encodeSsh({
  id,
  target,
  uid = 0,
  gid = 0,
  mode = 0o600,
  optional = false,
}: SshSpec): pb.Mount {
  return {
    ...plainMount,
    dest: target,
    mountType: 2,
    SSHOpt: { ID: id, uid, gid, mode, optional },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
