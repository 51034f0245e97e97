// Deleting whole trees that others have made: however deep they are and whatever their directories forbid.
import { chmodSync, lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { decodeName, fsPath } from "../../base/index.ts";

/** Longer paths are shortened by moving what is deep to the top; PATH_MAX is 4096. */
const longPath = 2000;

/** Deletes `path` with all below it, in the thread pool as far as possible: not for what is mounted. Absent is fine. */
export async function removeTree(path: string): Promise<void> {
  // Node's way knows neither names that are too long nor directories without permissions.
  await rm(path, { recursive: true, force: true }).catch(() => removeTreeSync(path));
}

/** The same on this thread, seeing what it has mounted; follows no links. */
export function removeTreeSync(path: string): void {
  const stat = lstatSync(fsPath(path), { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    unlinkSync(fsPath(path));
    return;
  }
  let moved = 0;
  const pending = [path];
  for (let at = pending.at(-1); at !== undefined; at = pending.at(-1)) {
    const before = pending.length;
    for (const entry of entriesOf(at)) {
      const child = `${at}/${entry.name}`;
      if (!entry.isDirectory) unlinkSync(fsPath(child));
      else if (child.length < longPath) pending.push(child);
      else {
        const shorter = `${path}/.kiln-removed-${moved++}`;
        renameSync(fsPath(child), shorter);
        pending.push(shorter);
      }
    }
    if (pending.length > before) continue;
    rmdirSync(fsPath(at));
    pending.pop();
  }
}

function entriesOf(directory: string): { name: string; isDirectory: boolean }[] {
  const read = () => readdirSync(fsPath(directory), { withFileTypes: true, encoding: "buffer" });
  let entries: ReturnType<typeof read>;
  try {
    entries = read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    chmodSync(fsPath(directory), 0o700);
    entries = read();
  }
  return entries.map((entry) => ({
    name: decodeName(entry.name),
    isDirectory: entry.isDirectory(),
  }));
}
