// The file that a step's process means when it names one: found in the step's own file system, never outside of it.
import { closeSync, constants, openSync, readlinkSync, readSync } from "node:fs";
import { posix } from "node:path";
import { concatBytes, decodeName, encodeName } from "../../../base/index.ts";
import type { ListenerCalls } from "./listener-calls.ts";
import type { OwnerTarget } from "./owner-call.ts";

const O_PATH = 0o10000000;
const pageSize = 4096n;
/** PATH_MAX, with the byte that ends it. */
const longestPath = 4096;

const EBADF = 9;
/** What a process can be told: the file is not there, or its name makes no sense. */
const tellable = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"]);

/**
 * Opens it for its place alone. A number is the answer to give instead: an error of the kernel's, or 0 where the file is
 * out of reach here (such as what lies in /proc) and nothing is to be done.
 */
export function openTarget(
  calls: ListenerCalls,
  pid: number,
  target: OwnerTarget,
): { readonly fd: number } | number {
  try {
    if (target.type === "open") return openDescriptor(pid, target.fd);
    const path = readPath(pid, target.address);
    if (path === undefined) return 0;
    if (path.length === 0 && target.mayBeEmpty && target.directory !== undefined)
      return openDescriptor(pid, target.directory);
    const text = decodeName(path);
    const [, descriptor] = /^\/proc\/(?:self|thread-self)\/fd\/(\d+)$/.exec(text) ?? [];
    if (descriptor !== undefined && target.follow) return openDescriptor(pid, Number(descriptor));
    return { fd: openPath(calls, pid, target, text) };
  } catch (error) {
    const { code, errno = 0 } = error as NodeJS.ErrnoException;
    return code !== undefined && tellable.has(code) ? Math.abs(errno) : 0;
  }
}

function openDescriptor(pid: number, fd: number): { readonly fd: number } | number {
  try {
    return { fd: openSync(`/proc/${pid}/fd/${fd}`, O_PATH) };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? EBADF : 0;
  }
}

function openPath(
  calls: ListenerCalls,
  pid: number,
  { directory, follow }: Extract<OwnerTarget, { type: "path" }>,
  path: string,
): number {
  if (path.startsWith("/")) return openBelow(calls, `/proc/${pid}/root`, path, follow);
  const base = directory === undefined ? `/proc/${pid}/cwd` : `/proc/${pid}/fd/${directory}`;
  const at = openSync(base, O_PATH | constants.O_DIRECTORY);
  try {
    return calls.openIn(at, cstring(path), { inRoot: false, follow });
  } catch (error) {
    // It leads out of that directory: upwards, or by a link.
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    const root = readlinkSync(`/proc/${pid}/root`);
    const whole = posix.join("/", posix.relative(root, readlinkSync(base)), path);
    return openBelow(calls, `/proc/${pid}/root`, whole, follow);
  } finally {
    closeSync(at);
  }
}

function openBelow(calls: ListenerCalls, root: string, path: string, follow: boolean): number {
  const at = openSync(root, O_PATH | constants.O_DIRECTORY);
  try {
    return calls.openIn(at, cstring(path), { inRoot: true, follow });
  } finally {
    closeSync(at);
  }
}

function cstring(path: string): Uint8Array {
  return concatBytes([encodeName(path), new Uint8Array(1)]);
}

/** The bytes of a path in a process's memory; undefined where they cannot be read, or have no end. */
function readPath(pid: number, address: bigint): Uint8Array | undefined {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    const bytes = new Uint8Array(longestPath);
    for (let at = 0; at < longestPath; ) {
      const place = address + BigInt(at);
      // The next page may be nobody's.
      const left = Math.min(Number(pageSize - (place % pageSize)), longestPath - at);
      const read = readSync(memory, bytes, at, left, place);
      if (read === 0) return undefined;
      const end = bytes.subarray(0, at + read).indexOf(0, at);
      if (end !== -1) return bytes.slice(0, end);
      at += read;
    }
    return undefined;
  } finally {
    closeSync(memory);
  }
}
