// Who a step runs as: `user[:group]` looked up in the root file system's passwd and group files.
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { KilnError, resolveInRoot } from "../../base/index.ts";

/** Files larger than this are refused: an image may hold any file as /etc/passwd. */
export const accountFileLimit: number = 10 * 1024 * 1024;

const maxId = 2 ** 31 - 1;

export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the primary one first. */
  readonly additionalGids: readonly number[];
  /** Home directory; `/` where passwd does not say. */
  readonly home: string;
}

/**
 * Looks `spec` up below `root`: `""` is root, `name`, `uid`, `name:group`, `uid:gid`, `:group`. Without a group, the user's own and
 * those that list the user. Throws `USER_NOT_FOUND`. Links in the image never lead out of `root`.
 */
export function lookUpUser(root: string, spec: string): User {
  const [name = "", group] = split(/^(:|$)/.test(spec) ? `0${spec}` : spec);
  const numbers = group !== undefined && isId(name) && isId(group);
  const passwd = readAccounts(root, "/etc/passwd");
  const entry = findUser(passwd, name);
  const uid = entry?.uid ?? toId(name, spec, "user", "passwd");
  const home = entry?.home || "/";
  if (numbers) return { uid, gid: Number(group), additionalGids: [Number(group)], home };
  const groups = readAccounts(root, "/etc/group");
  if (group !== undefined) {
    const gid = findGroup(groups, group) ?? toId(group, spec, "group", "group");
    return { uid, gid, additionalGids: [gid], home };
  }
  const gid = entry?.gid ?? 0;
  const member = entry === undefined ? [] : groupsOf(groups, entry.name);
  return { uid, gid, additionalGids: [...new Set([gid, ...member])], home };
}

function split(spec: string): string[] {
  const at = spec.indexOf(":");
  if (at === -1) return [spec];
  const group = spec.slice(at + 1);
  return group === "" ? [spec.slice(0, at)] : [spec.slice(0, at), group];
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= maxId;
}

function toId(text: string, spec: string, what: "user" | "group", file: string): number {
  if (isId(text)) return Number(text);
  const range = /^-?\d+$/.test(text);
  const why = range
    ? `uids and gids must be in range 0-${maxId}`
    : `unable to find ${what} ${text}: no matching entries in ${file} file`;
  throw new KilnError("USER_NOT_FOUND", why, {
    hint: range
      ? `Use another number in "USER ${spec}".`
      : `Create it in an earlier RUN step, or give a number instead of "${text}".`,
  });
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

function findUser(lines: readonly string[], wanted: string): Account | undefined {
  let byId: Account | undefined;
  for (const line of lines) {
    const [name = "", , uid = "", gid = "", , home = ""] = line.split(":");
    if (!isId(uid) || !isId(gid)) continue;
    const account = { name, uid: Number(uid), gid: Number(gid), home };
    if (name === wanted) return account;
    if (byId === undefined && isId(wanted) && Number(uid) === Number(wanted)) byId = account;
  }
  return byId;
}

function findGroup(lines: readonly string[], wanted: string): number | undefined {
  for (const line of lines) {
    const [name = "", , gid = ""] = line.split(":");
    if (name === wanted && isId(gid)) return Number(gid);
  }
  return undefined;
}

function groupsOf(lines: readonly string[], user: string): number[] {
  return lines.flatMap((line) => {
    const [, , gid = "", members = ""] = line.split(":");
    return isId(gid) && members.split(",").includes(user) ? [Number(gid)] : [];
  });
}

/** The lines of a regular file in the image; none where it is absent. Never waits on FIFOs nor reads devices. */
function readAccounts(root: string, path: string): readonly string[] {
  const text = readSmall(resolveInRoot(root, path, { followLast: true }), path);
  return text.split("\n").map((line) => line.trim());
}

function readSmall(hostPath: string, path: string): string {
  let file: number;
  try {
    // Before opening: to open a device node is to use the device.
    if (!lstatSync(hostPath).isFile()) return "";
    file = openSync(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw error;
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return "";
    if (stat.size > accountFileLimit) {
      throw new KilnError(
        "IMAGE_INVALID",
        `the image's ${path} is larger than ${accountFileLimit} bytes`,
      );
    }
    const bytes = new Uint8Array(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, length);
      if (read === 0) break;
      length += read;
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  } finally {
    closeSync(file);
  }
}
