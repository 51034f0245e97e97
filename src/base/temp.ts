// Files that are either wholly there or not at all.
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { fromNodeError } from "./errors.ts";

/** A name that no other process picks, for temporary files beside their final place. */
export function temporaryName(): string {
  return `.tmp-${process.pid}-${randomBytes(6).toString("hex")}`;
}

/**
 * Replaces `path` with `data` so that a crash at any moment leaves the old or the new contents: temporary file in the
 * same directory, fsync, rename. Throws `DISK_FULL` and `PERMISSION_DENIED` besides what `node:fs` throws.
 */
export function writeFileAtomic(path: string, data: Uint8Array | string, mode = 0o600): void {
  replaceFile(path, data, mode, fsyncSync);
}

/**
 * As `writeFileAtomic`, without waiting for the disk: a killed process leaves the old or the new contents, a power cut may
 * leave anything. For what is checked when it is read, and can be made again.
 */
export function writeNoteAtomic(path: string, data: string): void {
  replaceFile(path, data, 0o600, () => {});
}

function replaceFile(
  path: string,
  data: Uint8Array | string,
  mode: number,
  flush: (file: number) => void,
): void {
  const temporary = `${dirname(path)}/${temporaryName()}`;
  try {
    const file = openSync(temporary, "wx", mode);
    try {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      flush(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw fromNodeError(error, `writing ${path}`);
  }
}
