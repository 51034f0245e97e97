// What a step under proot sees besides its root: directories and files of the machine under other names.
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { type AsyncStack, KilnError, resolveInRoot, wrap } from "../../../base/index.ts";
import type { Mount } from "../../../storage/snapshot/index.ts";
import type { ExecMount } from "../executor.ts";
import { openRelay } from "../relay.ts";
import { isBindable } from "./proot-command.ts";

/** The directory that a copied snapshot is. Overlays cannot be shown without a namespace. */
export function directoryOf(mounts: readonly Mount[]): {
  readonly path: string;
  readonly readonly: boolean;
} {
  const [mount] = mounts;
  if (mount?.type === "bind" && mounts.length === 1)
    return { path: mount.source, readonly: mount.readonly };
  throw new KilnError("UNSUPPORTED", "steps without a namespace need snapshots that are copies", {
    hint: "Leave KILN_SNAPSHOTTER unset, or set it to copy.",
  });
}

/**
 * Prepares the mounts of a step below `directory`, an empty one of the caller's own. What a step may not write to is a copy
 * of its own, since nothing else keeps it from writing.
 */
export async function prepareBinds(
  mounts: readonly ExecMount[],
  directory: string,
  stack: AsyncStack,
): Promise<readonly (readonly [source: string, target: string])[]> {
  const depth = ({ target }: ExecMount) => posix.join("/", target).split("/").length;
  const binds: (readonly [string, string])[] = [];
  for (const [index, mount] of mounts.toSorted((a, b) => depth(a) - depth(b)).entries()) {
    const place = join(directory, `mount-${index}`);
    mkdirSync(place);
    try {
      const source = await sourceOf(mount, place, stack);
      const target = posix.join("/", mount.target);
      if (!isBindable(source) || !isBindable(target))
        throw new KilnError("UNSUPPORTED", "proot cannot mount a path with a colon in it");
      binds.push([source, target]);
    } catch (error) {
      throw wrap(error, `mounting ${mount.target}`);
    }
  }
  return binds;
}

async function sourceOf(
  { what, readonly }: ExecMount,
  place: string,
  stack: AsyncStack,
): Promise<string> {
  switch (what.type) {
    case "tmpfs": {
      const path = join(place, "memory");
      mkdirSync(path);
      chmodSync(path, 0o1777);
      return path;
    }
    case "file": {
      const path = join(place, "data");
      writeFileSync(path, what.data, { flag: "wx", mode: 0o600 });
      chmodSync(path, what.mode);
      return path;
    }
    case "socket":
      stack.use(await openRelay(place, "socket", what.connect, what));
      return join(place, "socket");
    case "directory":
      return writable(within(what.path, what.selector), readonly, place);
    case "snapshot": {
      const view = directoryOf(what.mounts);
      return writable(within(view.path, what.selector), readonly || view.readonly, place);
    }
  }
}

function within(root: string, selector: string | undefined): string {
  return resolveInRoot(root, posix.join("/", selector ?? ""), { followLast: true });
}

function writable(path: string, readonly: boolean, place: string): string {
  if (!readonly) return path;
  const copy = join(place, "copy");
  cpSync(path, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  return copy;
}
