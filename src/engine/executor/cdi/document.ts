// Specifications of the Container Device Interface (CDI 1.1): what a device is, and what a container needs to use it.
import { posix } from "node:path";
import { isRecord, KilnError } from "../../../base/index.ts";

/** One file's devices. */
export interface CdiDocument {
  /** `vendor.com/class`. */
  readonly kind: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly devices: readonly CdiDevice[];
  /** For whoever uses any of the devices. */
  readonly edits: CdiEdits;
}

export interface CdiDevice {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly edits: CdiEdits;
}

/** What is added to a container. */
export interface CdiEdits {
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly nodes: readonly CdiNode[];
  readonly mounts: readonly CdiMount[];
  readonly hooks: readonly CdiHook[];
  readonly groups: readonly number[];
}

/** A device of the machine, shown in the container. Its own mode and owner stay as they are. */
export interface CdiNode {
  readonly path: string;
  readonly hostPath: string;
  readonly readonly: boolean;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readonly: boolean;
}

/** A program of the machine, run by the container runtime. */
export interface CdiHook {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeout: number | undefined;
}

/** Of the OCI runtime specification. */
export const hookNames = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;

/** More of anything than this is no device's. */
const most = 4096;

const kindPattern =
  /^[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?\/[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;

/** Throws `CONFIG_INVALID`, also for members that are not known: they may be what the device needs to be safe. */
export function readCdiDocument(value: unknown): CdiDocument {
  const at = members(value, "the specification", [
    ...["cdiVersion", "kind", "annotations", "devices", "containerEdits"],
  ]);
  const version = text(at["cdiVersion"], "cdiVersion");
  if (!/^v?(0\.\d+|1\.[01])\.\d+$/.test(version))
    throw invalid(`cdiVersion ${JSON.stringify(version)} is not known`);
  const kind = text(at["kind"], "kind");
  if (!kindPattern.test(kind)) throw invalid(`kind ${JSON.stringify(kind)} is not vendor/class`);
  const devices = list(at["devices"], "devices").map(readDevice);
  const names = new Set(devices.map(({ name }) => name));
  if (names.size !== devices.length) throw invalid("two devices have the same name");
  return {
    kind,
    devices,
    annotations: texts(at["annotations"], "annotations"),
    edits: readEdits(at["containerEdits"] ?? {}),
  };
}

function readDevice(value: unknown): CdiDevice {
  const at = members(value, "a device", ["name", "annotations", "containerEdits"]);
  const name = text(at["name"], "a device's name");
  if (!namePattern.test(name)) throw invalid(`${JSON.stringify(name)} cannot name a device`);
  return {
    name,
    annotations: texts(at["annotations"], "annotations"),
    edits: readEdits(at["containerEdits"] ?? {}),
  };
}

function readEdits(value: unknown): CdiEdits {
  const at = members(value, "containerEdits", [
    ...["env", "deviceNodes", "mounts", "hooks", "additionalGids"],
    // Read so that other devices of the file stay of use; whoever asks for one that has them is refused below.
    ...["intelRdt", "netDevices"],
  ]);
  for (const name of ["intelRdt", "netDevices"])
    if (at[name] !== undefined) throw invalid(`${name} is not supported`);
  return {
    env: list(at["env"], "env").map((one) => {
      const pair = text(one, "env");
      if (!/^[^=\0]+=[^\0]*$/.test(pair)) throw invalid(`env ${JSON.stringify(pair)}`);
      return pair;
    }),
    nodes: list(at["deviceNodes"], "deviceNodes").map(readNode),
    mounts: list(at["mounts"], "mounts").map(readMount),
    hooks: list(at["hooks"], "hooks").map(readHook),
    groups: list(at["additionalGids"], "additionalGids").map((one) => {
      const group = Number(one);
      if (typeof one === "number" && Number.isSafeInteger(group) && group > 0 && group < 2 ** 32)
        return group;
      throw invalid(`additionalGids: ${JSON.stringify(one)} is not a group`);
    }),
  };
}

function readNode(value: unknown): CdiNode {
  const at = members(value, "a device node", [
    ...["path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"],
  ]);
  const path = place(at["path"], "a device node's path");
  const permissions =
    at["permissions"] === undefined ? "rwm" : text(at["permissions"], "permissions");
  if (!/^[rwm]{0,3}$/.test(permissions))
    throw invalid(`permissions ${JSON.stringify(permissions)}`);
  const hostPath = at["hostPath"] === undefined ? path : place(at["hostPath"], "hostPath");
  return { path, hostPath, readonly: permissions !== "" && !permissions.includes("w") };
}

function readMount(value: unknown): CdiMount {
  const at = members(value, "a mount", ["hostPath", "containerPath", "options", "type"]);
  const type = at["type"] === undefined ? "bind" : text(at["type"], "a mount's type");
  if (!["", "bind", "none"].includes(type))
    throw invalid(`mounts of type ${JSON.stringify(type)} are not supported`);
  const options = list(at["options"], "options").map((one) => text(one, "options"));
  return {
    hostPath: place(at["hostPath"], "hostPath"),
    containerPath: place(at["containerPath"], "containerPath"),
    readonly: options.includes("ro"),
  };
}

function readHook(value: unknown): CdiHook {
  const at = members(value, "a hook", ["hookName", "path", "args", "env", "timeout"]);
  const name = text(at["hookName"], "hookName");
  if (!hookNames.some((one) => one === name))
    throw invalid(`there is no hook ${JSON.stringify(name)}`);
  const { timeout } = at as { readonly timeout?: unknown };
  if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0))
    throw invalid("a hook's timeout is not a number of seconds");
  return {
    name,
    path: place(at["path"], "a hook's path"),
    args: list(at["args"], "args").map((one) => text(one, "args")),
    env: list(at["env"], "env").map((one) => text(one, "env")),
    timeout,
  };
}

function members(
  value: unknown,
  what: string,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw invalid(`${what} is not a table`);
  const other = Object.keys(value).find((name) => !known.includes(name));
  if (other !== undefined) throw invalid(`${what} has an unknown member ${JSON.stringify(other)}`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value === "string" && value.length <= 64 * 1024 && !value.includes("\0")) return value;
  throw invalid(`${what} is not text`);
}

/** An absolute path, without `..`. */
function place(value: unknown, what: string): string {
  const path = text(value, what);
  if (path.startsWith("/") && path !== "/" && posix.normalize(path) === path) return path;
  throw invalid(`${what} ${JSON.stringify(path)} is not a plain absolute path`);
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length <= most) return value;
  throw invalid(`${what} is not a list of at most ${most}`);
}

function texts(value: unknown, what: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw invalid(`${what} is not a table`);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, text(one, what)]));
}

function invalid(why: string): KilnError {
  return new KilnError("CONFIG_INVALID", why);
}
