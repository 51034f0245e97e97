// What kind of file an `st_mode` says.

export type FileType = "file" | "directory" | "symlink" | "fifo" | "char" | "block" | "socket";

const types: ReadonlyMap<number, FileType> = new Map([
  [0o010000, "fifo"],
  [0o020000, "char"],
  [0o040000, "directory"],
  [0o060000, "block"],
  [0o100000, "file"],
  [0o120000, "symlink"],
  [0o140000, "socket"],
]);

/** The kind of file that `st_mode` says. */
export function fileType(mode: number): FileType {
  return types.get(mode & 0o170000) ?? "file";
}
