// Mount points that a step needs and its image lacks: made before the step, taken away after it without a trace.
import { constants, lstatSync, rmdirSync, statSync, unlinkSync } from "node:fs";
import { KilnError } from "../../base/index.ts";
import { loadSyscalls } from "../../storage/snapshot/index.ts";
import { ensureInRoot, type Pin } from "./pin.ts";

/** Something that was made only to be mounted upon. */
interface Stub {
  /** Absolute, as seen from the root of the tree it was made in. */
  readonly path: string;
  readonly kind: "directory" | "file";
  readonly inode: bigint;
}

/**
 * The mount points made in one root file system. `ensure` makes what is missing; `remove` takes away what is still as it
 * was made, and gives the directories around it back their times, so that a mount leaves no trace in the layer.
 */
export class MountPoints {
  readonly #stubs: Stub[] = [];

  /**
   * The place to mount upon for `target` below `root`; made when missing, with the directories on the way. Stubs made in
   * something else that is mounted there stay: they belong to that mount.
   */
  ensure(root: string, target: string, kind: "directory" | "file"): Pin {
    const pin = ensureInRoot(root, target, kind, (parent, make) => this.#make(root, parent, make));
    checkKind(pin, target, kind);
    return pin;
  }

  /** Call it when nothing of the step runs any more, with the tree that the stubs were made in and nothing mounted in it. */
  remove(root: string): void {
    for (let stub = this.#stubs.pop(); stub !== undefined; stub = this.#stubs.pop()) {
      removeStub(root, stub);
    }
  }

  #make(root: string, parent: Pin, make: () => Pin): Pin {
    const before = statSync(parent.path, { bigint: true });
    const made = make();
    loadSyscalls().utimensat(`${parent.path}/.`, before.atimeNs, before.mtimeNs);
    if (before.dev === lstatSync(root, { bigint: true }).dev) {
      const { ino, mode } = statSync(made.path, { bigint: true });
      const kind = (Number(mode) & constants.S_IFMT) === constants.S_IFDIR ? "directory" : "file";
      this.#stubs.push({ path: made.hostPath.slice(root.length), kind, inode: ino });
    }
    return made;
  }
}

function checkKind(pin: Pin, target: string, kind: "directory" | "file"): void {
  const isDirectory = statSync(pin.path).isDirectory();
  if (isDirectory === (kind === "directory")) return;
  pin[Symbol.dispose]();
  const [have, want] = isDirectory ? ["directory", "file"] : ["file", "directory"];
  throw new KilnError(
    "RUNTIME_FAILED",
    `cannot mount a ${want} at ${target}: the image has a ${have} there`,
    {
      hint: "Choose another target for the mount.",
    },
  );
}

/** Every part of the path is looked at by itself: a step may have put a link in the place of any of them (CVE-2024-23652). */
function removeStub(root: string, stub: Stub): void {
  const parts = stub.path.split("/").slice(1);
  let parent = root;
  for (const part of parts.slice(0, -1)) {
    parent = `${parent}/${part}`;
    if (!lstatSync(parent, { throwIfNoEntry: false })?.isDirectory()) return;
  }
  const path = `${parent}/${parts.at(-1)}`;
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined || found.ino !== stub.inode) return;
  const around = lstatSync(parent, { bigint: true });
  if (stub.kind === "directory") {
    if (!found.isDirectory() || !removeEmpty(path)) return;
  } else {
    if (!found.isFile() || found.size !== 0n) return;
    unlinkSync(path);
  }
  loadSyscalls().utimensat(parent, around.atimeNs, around.mtimeNs);
}

function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}
