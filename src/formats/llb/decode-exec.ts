// Decodes and checks an exec op.
import { posix } from "node:path";
import type { pb } from "../proto/index.ts";
import { inputIndex, invalid, optional } from "./checks.ts";
import type { ExecMount, ExecOp } from "./ops.ts";

/** Most mounts of one exec op. */
export const MAX_MOUNTS = 1_000;

const networks = ["sandbox", "host", "none"] as const;
const securities = ["sandbox", "insecure"] as const;
const mountTypes = ["bind", "secret", "ssh", "cache", "tmpfs"] as const;
const sharings = ["shared", "private", "locked"] as const;
const contentCaches = ["default", "on", "off"] as const;

export function decodeExec(message: pb.ExecOp, inputs: number): ExecOp {
  const { meta } = message;
  if (meta === undefined) throw invalid("an exec op has no process");
  if (meta.args.length === 0) throw invalid("an exec op has no arguments");
  if (!meta.cwd.startsWith("/"))
    throw invalid(`a working directory is not absolute: ${JSON.stringify(meta.cwd)}`);
  const mounts = message.mounts.map((mount) => decodeMount(mount, inputs, meta.cwd));
  checkMounts(mounts);
  return {
    kind: "exec",
    args: meta.args,
    env: meta.env,
    cwd: meta.cwd,
    user: meta.user,
    hostname: meta.hostname,
    cgroupParent: meta.cgroupParent,
    extraHosts: meta.extraHosts.map(({ Host, IP }) => ({ host: Host, ip: IP })),
    ulimits: meta.ulimit.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    ...optional("proxyEnv", meta.proxyEnv && decodeProxy(meta.proxyEnv)),
    network: word(networks, message.network, "network mode"),
    security: word(securities, message.security, "security mode"),
    mounts,
    secretEnv: message.secretenv.map(({ ID, name, optional }) => ({ id: ID, name, optional })),
    devices: message.cdiDevices.map(({ name, optional }) => ({ name, optional })),
    removeMountStubsRecursive: meta.removeMountStubsRecursive,
    validExitCodes: meta.validExitCodes,
    outputs: mounts.filter(({ output }) => output !== undefined).length,
  };
}

function decodeProxy(message: pb.ProxyEnv): NonNullable<ExecOp["proxyEnv"]> {
  const { httpProxy, httpsProxy, ftpProxy, noProxy, allProxy } = message;
  return { http: httpProxy, https: httpsProxy, ftp: ftpProxy, no: noProxy, all: allProxy };
}

function decodeMount(message: pb.Mount, inputs: number, cwd: string): ExecMount {
  const type = word(mountTypes, message.mountType, "mount type");
  // What is lent has no output; the wire's value for it is 0 all the same.
  const lent = type === "secret" || type === "ssh";
  const output = lent || message.output === -1 ? undefined : message.output;
  if (output !== undefined && (output < 0 || type !== "bind")) {
    throw invalid(`a ${type} mount cannot have output ${output}`);
  }
  return {
    type,
    ...optional("input", inputIndex(message.input, inputs)),
    selector: message.selector,
    target: posix.resolve("/", cwd, message.dest),
    ...optional("output", output),
    readonly: message.readonly,
    contentCache: word(contentCaches, message.contentCache, "content cache mode"),
    ...decodeMountOptions(type, message),
  };
}

function decodeMountOptions(type: ExecMount["type"], message: pb.Mount): Partial<ExecMount> {
  switch (type) {
    case "bind":
      return {};
    case "tmpfs":
      return { tmpfsSize: message.TmpfsOpt?.size ?? 0 };
    case "cache": {
      if (message.cacheOpt === undefined) throw invalid("a cache mount has no id");
      const { ID, sharing } = message.cacheOpt;
      return { cache: { id: ID, sharing: word(sharings, sharing, "cache sharing mode") } };
    }
    case "secret":
      return { secret: decodeLentFile(message.secretOpt, "secret") };
    case "ssh": {
      const ssh = decodeLentFile(message.SSHOpt, "ssh");
      return { ssh: { ...ssh, id: ssh.id || "default" } };
    }
  }
}

function decodeLentFile(
  message: pb.SecretOpt | pb.SSHOpt | undefined,
  what: string,
): NonNullable<ExecMount["secret"]> {
  if (message === undefined) throw invalid(`a ${what} mount does not say what to mount`);
  const { ID, uid, gid, mode, optional } = message;
  return { id: ID, uid, gid, mode, optional };
}

function checkMounts(mounts: readonly ExecMount[]): void {
  if (mounts.length > MAX_MOUNTS) throw invalid(`an exec op has more than ${MAX_MOUNTS} mounts`);
  if (mounts.filter(({ target, type }) => target === "/" && type === "bind").length !== 1) {
    throw invalid("an exec op must have one root mount");
  }
  const outputs = mounts
    .flatMap(({ output }) => (output === undefined ? [] : [output]))
    .sort((a, b) => a - b);
  if (outputs.some((output, at) => output !== at))
    throw invalid("the outputs of an exec op are not numbered in a row");
}

function word<T>(words: readonly T[], value: number, what: string): T {
  const found = words[value];
  if (found === undefined) throw invalid(`unknown ${what} ${value}`);
  return found;
}
