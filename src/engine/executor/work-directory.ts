// Where steps keep their files while they run: in memory, and only this process and its children see it.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { enterMountNamespace, loadSyscalls } from "../../storage/snapshot/index.ts";

const MS_NOSUID = 2;
const MS_NODEV = 4;

const mounted = new Set<string>();

/**
 * A new directory of the caller's own below `stateDir`, on a tmpfs in this process's private mount namespace: it is gone
 * when the process is, however that ends. Returned with all symbolic links resolved.
 */
export function openWorkDirectory(stateDir: string): string {
  mkdirSync(join(stateDir, "run"), { recursive: true, mode: 0o700 });
  const run = join(realpathSync(stateDir), "run");
  enterMountNamespace();
  if (!mounted.has(run)) {
    loadSyscalls().mount("tmpfs", run, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700");
    mounted.add(run);
  }
  return mkdtempSync(join(run, "executor-"));
}

/**
 * Removes a directory with what lies in it, but never anything that is mounted there: that is somebody's snapshot or
 * cache, and a mount that could not be taken away leaves its mount point.
 */
export function removeWork(path: string): void {
  const top = lstatSync(path, { throwIfNoEntry: false });
  if (top !== undefined) removeBelow(path, top.dev);
}

function removeBelow(path: string, device: number): void {
  const found = lstatSync(path);
  if (found.dev !== device) return;
  if (!found.isDirectory()) {
    unlinkSync(path);
    return;
  }
  for (const name of readdirSync(path)) removeBelow(join(path, name), device);
  try {
    rmdirSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOTEMPTY" && code !== "EBUSY") throw error;
  }
}
