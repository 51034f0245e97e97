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
import { isDead, processTag } from "../../base/index.ts";
import { enterMountNamespace, loadSyscalls } from "../../storage/snapshot/index.ts";

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MNT_DETACH = 2;

/** A directory for files that live no longer than their owner. Disposing removes it. */
export interface WorkDirectory extends Disposable {
  /** Free of symbolic links. */
  readonly path: string;
}

const users = new Map<string, number>();

/**
 * A new directory of the caller's own below `stateDir`, on a tmpfs in this process's private mount namespace: it is gone
 * when the process is, however that ends.
 */
export function openWorkDirectory(stateDir: string): WorkDirectory {
  mkdirSync(join(stateDir, "run"), { recursive: true, mode: 0o700 });
  const run = join(realpathSync(stateDir), "run");
  enterMountNamespace();
  const already = users.get(run) ?? 0;
  if (already === 0) loadSyscalls().mount("tmpfs", run, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700");
  users.set(run, already + 1);
  const path = mkdtempSync(join(run, "executor-"));
  let open = true;
  return {
    path,
    [Symbol.dispose]: () => {
      if (!open) return;
      open = false;
      removeWork(path);
      const left = (users.get(run) ?? 1) - 1;
      users.set(run, left);
      if (left === 0) loadSyscalls().umount2(run, MNT_DETACH);
    },
  };
}

/**
 * The same on disk, for processes that have no mount namespace of their own. Killed ones leave theirs: the next takes it
 * away.
 */
export function openPlainWorkDirectory(stateDir: string): WorkDirectory {
  const run = join(stateDir, "run-plain");
  mkdirSync(run, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(run)) {
    if (isDead(name.split("+")[0] ?? "") === true) removeWork(join(run, name));
  }
  const path = mkdtempSync(join(realpathSync(run), `${processTag()}+`));
  return { path, [Symbol.dispose]: () => removeWork(path) };
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
