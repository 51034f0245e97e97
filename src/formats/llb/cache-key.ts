// What a step is to the cache: the bytes that BuildKit hashes for an op, so that both find each other's results.
import { goJson, sortedRecord } from "../../base/index.ts";
import type { Platform } from "../oci/index.ts";
import { pb } from "../proto/index.ts";

/** Files of an input that count by content (BuildKit's `opsutils.Selector`). */
export interface InputSelector {
  readonly path: string;
  readonly wildcard: boolean;
  readonly followLinks: boolean;
  readonly includePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
}

/** An op without its inputs, and what of them it depends on. */
export interface OpIdentity {
  /** To be hashed. */
  readonly text: string;
  /** By input: what of it is read. Inputs that count by their history have none. */
  readonly selectors: ReadonlyMap<number, readonly InputSelector[]>;
}

/** Of an exec op. `platform` is where it runs, never absent here. */
export function execIdentity(encoded: Uint8Array, platform: Platform): string {
  const { op } = pb.Op.decode(encoded);
  if (op?.$case !== "exec") throw new Error("not an exec op");
  const exec = op.value;
  const { meta } = exec;
  if (meta) {
    meta.proxyEnv = undefined;
    for (const host of meta.extraHosts) host.IP = "";
  }
  for (const mount of exec.mounts) {
    mount.selector = "";
    if (mount.cacheOpt && !isUsualCache(mount.cacheOpt, mount.dest)) {
      mount.cacheOpt.ID = "";
      mount.cacheOpt.sharing = pb.CacheSharingOpt.SHARED;
    }
  }
  const [root] = exec.mounts;
  if (exec.mounts.length === 1 && root && isPlainRoot(root)) exec.mounts = [];
  const { os, architecture, variant } = platform;
  return goJson({
    Type: "buildkit.exec.v0",
    Exec: goValue(exec) ?? {},
    OS: os,
    Arch: architecture,
    ...(variant ? { Variant: variant } : {}),
  });
}

/** A cache mount as Dockerfiles make them: named after its target. */
function isUsualCache({ ID, sharing }: pb.CacheOpt, dest: string): boolean {
  if (sharing !== pb.CacheSharingOpt.SHARED) return false;
  return ID === dest || (ID.includes("/") && ID.slice(ID.indexOf("/") + 1) === dest);
}

/** A RUN without mounts: its root does not count, for the sake of keys that are older than mounts. */
function isPlainRoot(mount: pb.Mount): boolean {
  return (
    mount.dest === "/" &&
    !mount.readonly &&
    mount.mountType === pb.MountType.BIND &&
    !mount.cacheOpt &&
    !mount.SSHOpt &&
    !mount.secretOpt &&
    mount.resultID === ""
  );
}

/** Of a file op with `inputCount` inputs. */
export function fileIdentity(encoded: Uint8Array, inputCount: number): OpIdentity {
  const { op } = pb.Op.decode(encoded);
  if (op?.$case !== "file") throw new Error("not a file op");
  const selectors = new Map<number, InputSelector[]>();
  const add = (input: number, selector: InputSelector) =>
    selectors.set(input, [...(selectors.get(input) ?? []), selector]);
  const bases = new Set<number>();
  const indexes: number[][] = [];
  const actions = op.value.actions.map(({ input, secondaryInput, output, action }) => {
    bases.add(input);
    indexes.push([input, secondaryInput, output]);
    if (!action) return "";
    if (action.$case !== "rm" && action.$case !== "symlink") addOwners(action.value.owner, add);
    if (action.$case === "copy" && secondaryInput !== -1 && secondaryInput < inputCount) {
      add(secondaryInput, copySelector(action.value));
      action.value.src = baseName(action.value.src);
    }
    return base64(exactJson(goValue(action.value) ?? {}));
  });
  for (const input of bases) selectors.delete(input);
  for (const input of selectors.keys()) if (input >= inputCount) selectors.delete(input);
  return {
    text: goJson({
      Type: "buildkit.file.v0",
      Actions: actions,
      ...(areUsual(indexes) ? {} : { indexes }),
    }),
    selectors,
  };
}

function copySelector(copy: pb.FileActionCopy): InputSelector {
  return {
    path: copy.src,
    wildcard: copy.allowWildcard && /(?:^|[^\\])(?:\\\\)*[*?[]/.test(copy.src),
    followLinks: copy.followSymlink,
    includePatterns: copy.includePatterns,
    excludePatterns: copy.excludePatterns,
  };
}

function addOwners(
  owner: pb.ChownOpt | undefined,
  add: (input: number, selector: InputSelector) => void,
): void {
  const plain = { wildcard: false, followLinks: true, includePatterns: [], excludePatterns: [] };
  const look = (user: pb.UserOpt | undefined, path: string) => {
    if (user?.user?.$case === "byName") add(user.user.value.input, { path, ...plain });
  };
  look(owner?.user, "/etc/passwd");
  look(owner?.group, "/etc/group");
}

/** Each action on top of the one before, from the first input, with the second one as source: not worth a word. */
function areUsual(indexes: readonly (readonly number[])[]): boolean {
  const last = indexes.length - 1;
  return (
    indexes.length > 0 &&
    indexes.every(
      ([input, secondary, output], i) =>
        input === (i === 0 ? 0 : indexes.length + i - 1) &&
        (secondary === -1 || secondary === 1) &&
        output === (i === last ? 0 : -1),
    )
  );
}

/** Of a merge, diff or passthrough op. */
export function stackIdentity(encoded: Uint8Array): string {
  const { op } = pb.Op.decode(encoded);
  if (op?.$case === "merge")
    return goJson({ Type: "buildkit.merge.v0", Merge: goValue(op.value) ?? {} });
  if (op?.$case === "diff")
    return goJson({ Type: "buildkit.diff.v0", Diff: goValue(op.value) ?? {} });
  if (op?.$case === "passthrough")
    return goJson({ Type: "buildkit.passthrough.v0", Passthrough: passthroughValue(op.value) });
  throw new Error("neither a merge, a diff nor a passthrough op");
}

/** The first input counts as 0, which a list keeps. */
function passthroughValue({ id, outputs }: pb.PassthroughOp): Readonly<Record<string, unknown>> {
  return { ...(id === "" ? {} : { id }), ...(outputs.length === 0 ? {} : { outputs }) };
}

/** What a nested build is, apart from its inputs. BuildKit: solver/llbsolver/ops/build.go. */
export function buildIdentity(encoded: Uint8Array): string {
  const { op } = pb.Op.decode(encoded);
  if (op?.$case !== "build") throw new Error("not a build op");
  const { builder, inputs, def, attrs } = op.value;
  const members = {
    ...(builder === 0 ? {} : { builder }),
    ...(inputs.size === 0
      ? {}
      : { inputs: plain([...inputs].map(([name, input]) => [name, goValue(input) ?? {}])) }),
    ...(def === undefined ? {} : { def: goValue(def) ?? {} }),
    ...(attrs.size === 0 ? {} : { attrs: plain([...attrs]) }),
  };
  return goJson({ Type: "buildkit.build.v0", Exec: members });
}

/** Go writes the keys of maps in order. */
function plain(
  entries: readonly (readonly [string, unknown])[],
): Readonly<Record<string, unknown>> {
  return sortedRecord(Object.fromEntries(entries));
}

// Names as Go's generated code has them in JSON, where ours differ.
const names: Readonly<Record<string, string>> = {
  httpProxy: "http_proxy",
  httpsProxy: "https_proxy",
  ftpProxy: "ftp_proxy",
  noProxy: "no_proxy",
  allProxy: "all_proxy",
  includePatterns: "include_patterns",
  excludePatterns: "exclude_patterns",
  requiredPaths: "required_paths",
};

/** Numbers that our generated code holds as text. */
const numbers = new Set(["timestamp"]);

/** As Go's encoding/json writes the generated structs: no zeroes, no empty lists; undefined for nothing at all. */
function goValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length === 0 ? undefined : base64(value);
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map((one) => goValue(one) ?? emptyOf(one));
  if (typeof value !== "object" || value === null)
    return value === "" || value === 0 || value === false ? undefined : value;
  if ("$case" in value && "value" in value) {
    const name = value.$case === "byID" ? "byId" : String(value.$case);
    return { [name]: goValue(value.value) ?? (typeof value.value === "object" ? {} : undefined) };
  }
  const found: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const json = numbers.has(name) ? goNumber(member) : goValue(member);
    if (json === undefined) continue;
    const choice = typeof member === "object" && member !== null && "$case" in member;
    found[choice ? "User" : (names[name] ?? name)] = json;
  }
  return found;
}

function emptyOf(value: unknown): unknown {
  return typeof value === "object" ? {} : value;
}

/** Nanoseconds may be more than a double holds: they are marked, and put in as digits (`exactJson`). */
function goNumber(value: unknown): unknown {
  const text = String(value);
  if (text === "0" || text === "") return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : `${exactMark}${text}`;
}

const exactMark = "\u0000exact ";

/** `goJson` with marked numbers as digits. No text of an op can hold the mark: strings with NUL are refused before. */
function exactJson(value: unknown): string {
  return goJson(value).replace(/"\\u0000exact (-?\d+)"/g, "$1");
}

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  if (trimmed === "") return path === "" ? "." : "/";
  return trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

function base64(data: Uint8Array | string): string {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
