// What counts of a file besides its bytes, in the form that BuildKit hashes: a tar header's fields one after the other.
import { isPortableXattr, notedOwner, type Xattrs } from "../../storage/snapshot/index.ts";

/** The kind of a file, and all that its header tells. */
export interface HeaderStat {
  readonly type: "file" | "directory" | "symlink" | "fifo" | "char" | "block" | "socket";
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly rdev: number;
}

const flags: Readonly<Record<HeaderStat["type"], string>> = {
  file: "0",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
  socket: "6",
};

/**
 * The name is not part of it, nor are times. `target` is a link's. But for access lists it is what BuildKit has, byte for
 * byte.
 */
export function contentHeader(
  stat: HeaderStat,
  target: string,
  xattrs?: Xattrs,
): string | Uint8Array {
  const { type, rdev } = stat;
  const { uid, gid } = (xattrs && notedOwner(xattrs)) ?? stat;
  // The permission bits of a symbolic link mean nothing, and differ between file systems.
  const mode = type === "symlink" ? 0o777 : stat.mode;
  const size = type === "file" ? stat.size : 0;
  const { major, minor } = type === "char" || type === "block" ? device(rdev) : noDevice;
  const header =
    `namemode${mode}uid${uid}gid${gid}size${size}typeflag${flags[type]}linkname${target}` +
    `unamegnamedevmajor${major}devminor${minor}`;
  if (xattrs === undefined || xattrs.size === 0) return header;
  const counted = [...xattrs].filter(([name]) => isPortableXattr(name));
  // By code units; names beyond the basic plane are nothing that a file system has seen.
  counted.sort(([a], [b]) => (a < b ? -1 : 1));
  return counted.length === 0 ? header : withXattrs(header, counted);
}

/** Names and values one after the other, by name. */
function withXattrs(
  header: string,
  xattrs: readonly (readonly [string, Uint8Array])[],
): Uint8Array {
  const text = (part: string) => new TextEncoder().encode(part);
  const parts = xattrs.flatMap(([name, value]) => [text(name), value]);
  return Uint8Array.from([text(header), ...parts].flatMap((part) => [...part]));
}

const noDevice = { major: 0, minor: 0 };

/** The kernel's encoding of device numbers in `st_rdev` (makedev(3)). */
function device(rdev: number): { readonly major: number; readonly minor: number } {
  const high = Math.floor(rdev / 0x1_0000_0000);
  const low = rdev >>> 0;
  return {
    major: ((high & 0xfffff000) | ((low >>> 8) & 0xfff)) >>> 0,
    minor: (((high & 0xff) << 20) | ((low >>> 12) & 0xffffff00) | (low & 0xff)) >>> 0,
  };
}
