// What counts of a file besides its bytes, in the form that BuildKit hashes: a tar header's fields one after the other.

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

/** The name is not part of it, nor are times. `target` is a link's. */
export function contentHeader(stat: HeaderStat, target: string): string {
  const { type, uid, gid, rdev } = stat;
  // The permission bits of a symbolic link mean nothing, and differ between file systems.
  const mode = type === "symlink" ? 0o777 : stat.mode;
  const size = type === "file" ? stat.size : 0;
  const { major, minor } = type === "char" || type === "block" ? device(rdev) : noDevice;
  return (
    `namemode${mode}uid${uid}gid${gid}size${size}typeflag${flags[type]}linkname${target}` +
    `unamegnamedevmajor${major}devminor${minor}`
  );
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
