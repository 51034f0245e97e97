// What files really take on disk: blocks, each inode counted once.
import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { decodeName, fsPath } from "../../base/index.ts";

/** Entries between two turns for others. */
const batch = 1000;

/** Counts trees one after the other, each inode of several names where it is met first. */
export class TreeSizer {
  readonly #seen = new Set<string>();
  #counted = 0;

  /**
   * Bytes on disk of what lies at `path` and, for a directory, below it, as `du` counts; but for what `leaveOut` names. What
   * vanishes meanwhile counts nothing. Never follows links.
   */
  async size(path: string, leaveOut?: (path: string) => boolean): Promise<number> {
    let sum = 0;
    const pending = [path];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      const stat = lstatSync(fsPath(at), { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) continue;
      sum += this.#take(stat);
      if (stat.isDirectory()) pending.push(...below(at).filter((one) => !leaveOut?.(one)));
      if (++this.#counted % batch === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return sum;
  }

  #take(stat: BigIntStats): number {
    if (stat.nlink > 1n && !stat.isDirectory()) {
      const key = `${stat.dev}:${stat.ino}`;
      if (this.#seen.has(key)) return 0;
      this.#seen.add(key);
    }
    return Number(stat.blocks) * 512;
  }
}

function below(directory: string): string[] {
  try {
    return readdirSync(fsPath(directory), "buffer").map(
      (name) => `${directory}/${decodeName(name)}`,
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") return [];
    throw error;
  }
}
