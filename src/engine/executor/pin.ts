// Holding on to one place in a tree that running programs may be changing, so that what was checked is what is used.
import { closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync } from "node:fs";
import { dirname } from "node:path";
import { KilnError, resolveInRoot } from "../../base/index.ts";

/** O_PATH: a handle on a place, not on its contents; opening one has no side effect. Node has no name for it. */
const O_PATH = 0o10000000;

/** An open handle on a file or directory; `path` reaches it whatever happens to its names. Disposing lets go. */
export interface Pin extends Disposable {
  readonly path: string;
  /** Where it was found. */
  readonly hostPath: string;
}

/** Tries before a tree that changes under our hands is given up on. */
const attempts = 8;

/**
 * The place that `path` means below `root`, which must be free of symbolic links itself. Undefined when it does not exist.
 * Throws `PATH_INVALID` when it turns out to lie elsewhere, however cleverly links were exchanged meanwhile.
 */
export function pinInRoot(root: string, path: string): Pin | undefined {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const hostPath = resolveNow(root, path);
    if (hostPath === undefined) continue;
    const pin = pinAt(hostPath);
    if (pin === undefined) return undefined;
    const found = readlinkSync(pin.path);
    const isInside = found === root || found.startsWith(root === "/" ? "/" : `${root}/`);
    if (isInside && !fstatSync(pin.fd).isSymbolicLink()) return pin;
    pin[Symbol.dispose]();
  }
  throw new KilnError("PATH_INVALID", `${path} keeps changing while it is being mounted`, {
    hint: "Check for steps that run at the same time and replace directories of a shared cache mount by links.",
  });
}

/** Told of everything that had to be made: the directory, before the change, and the new name in it. */
export type OnMake = (parent: Pin, make: () => Pin) => Pin;

/**
 * The place that `path` means below `root`, made when missing (0755 directories, 0644 files), with the directories on the
 * way. `onMake` wraps each making.
 */
export function ensureInRoot(
  root: string,
  path: string,
  kind: "directory" | "file",
  onMake: OnMake = (_, make) => make(),
): Pin {
  // Links first: one may lead to a place that does not exist, and that is the place to make.
  let at = resolveInRoot(root, path, { followLast: true }).slice(root.length) || "/";
  const missing: string[] = [];
  let pin = pinInRoot(root, at);
  while (pin === undefined && at !== "/") {
    missing.push(at.slice(at.lastIndexOf("/") + 1));
    at = dirname(at);
    pin = pinInRoot(root, at);
  }
  if (pin === undefined)
    throw new KilnError("RUNTIME_FAILED", `the root file system ${root} is gone`);
  for (let name = missing.pop(); name !== undefined; name = missing.pop()) {
    using parent = pin;
    const [child, isLast] = [name, missing.length === 0];
    try {
      pin = onMake(parent, () => createIn(parent, child, isLast ? kind : "directory"));
    } catch (cause) {
      const inside = parent.hostPath.slice(root.length) || "/";
      throw new KilnError("RUNTIME_FAILED", `${path}: no "${child}" can be made in ${inside}`, {
        cause,
        hint: "Create the directory in the image, or choose another path.",
      });
    }
  }
  return pin;
}

/** A new directory or empty file called `name` in a pinned directory, pinned. */
function createIn(parent: Pin, name: string, kind: "directory" | "file"): Pin {
  const path = `${parent.path}/${name}`;
  if (kind === "directory") mkdirSync(path, { mode: 0o755 });
  else closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644));
  const pin = pinAt(path);
  if (pin === undefined)
    throw new KilnError("PATH_INVALID", `${name} vanished while it was being mounted upon`);
  return { ...pin, hostPath: `${parent.hostPath}/${name}`, [Symbol.dispose]: pin[Symbol.dispose] };
}

/** Undefined when the tree changed on the way: worth another try. */
function resolveNow(root: string, path: string): string | undefined {
  try {
    return resolveInRoot(root, path, { followLast: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "EINVAL", "ENOTDIR", "ELOOP"].includes(code)) return undefined;
    throw error;
  }
}

function pinAt(hostPath: string): (Pin & { readonly fd: number }) | undefined {
  let file: number;
  try {
    file = openSync(hostPath, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
  return {
    fd: file,
    path: `/proc/self/fd/${file}`,
    hostPath,
    [Symbol.dispose]: () => closeSync(file),
  };
}
