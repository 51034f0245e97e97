// Writes a case's context to disk, the same on every machine: owners, modes and times are fixed.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { ContextFile, ContextFiles } from "./case.ts";

/** Seconds since 1970 that all files of a context were changed at. */
export const contextTime = 1_000_000_000;

/** Makes the files below the new directory `root`. */
export function writeContext(root: string, files: ContextFiles): void {
  mkdirSync(root, { recursive: true });
  const directories = new Set<string>([root]);
  for (const [name, file] of Object.entries(files)) {
    const path = join(root, name);
    for (let at = dirname(path); at.length > root.length; at = dirname(at)) directories.add(at);
    mkdirSync(dirname(path), { recursive: true });
    writeOne(root, path, typeof file === "string" ? { text: file } : file);
    lutimesSync(path, contextTime, contextTime);
    if (typeof file !== "string" && file.directory) directories.add(path);
  }
  for (const directory of [...directories].sort().reverse()) {
    lutimesSync(directory, contextTime, contextTime);
  }
}

function writeOne(root: string, path: string, file: Exclude<ContextFile, string>): void {
  if (file.link !== undefined) {
    symlinkSync(file.link, path);
    return;
  }
  if (file.hard !== undefined) {
    linkSync(join(root, file.hard), path);
    return;
  }
  if (file.directory) mkdirSync(path, { recursive: true });
  else if (file.fifo) execFileSync("mkfifo", [path]);
  else
    writeFileSync(
      path,
      file.bytes === undefined
        ? (file.text ?? "")
        : Uint8Array.from(atob(file.bytes), (c) => c.charCodeAt(0)),
    );
  if (file.zeros !== undefined) truncateSync(path, file.zeros);
  chownSync(path, file.uid ?? 0, file.gid ?? 0);
  chmodSync(path, file.mode ?? (file.directory ? 0o755 : 0o644));
}
