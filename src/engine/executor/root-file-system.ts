// The file system that a step sees: its snapshot with everything mounted into it, and all of it taken away again.
import { lstatSync, mkdirSync } from "node:fs";
import { join, posix } from "node:path";
import { AsyncStack, KilnError, resolveInRoot, wrap } from "../../base/index.ts";
import { type Mount, mountAt } from "../../storage/snapshot/index.ts";
import type { ExecMount } from "./executor.ts";
import type { SpecMount } from "./kernel-files.ts";
import { MountPoints } from "./mount-points.ts";
import { bindMount, detach, type MountSource, openSource } from "./mount-sources.ts";
import { ensureInRoot } from "./pin.ts";

/** Where the kernel's own file systems go: the runtime mounts them, so what lies below is the runtime's to mount too. */
const kernelDirectories = ["/dev", "/proc", "/sys"] as const;

/** An assembled root file system. Disposing unmounts all of it and takes the mount points made for it away. */
export interface RootFileSystem extends AsyncDisposable {
  /** Host path, visible in this process's mount namespace. */
  readonly path: string;
  /** Whether the step is to see it read-only: runtimes lose such flags of the root. */
  readonly readonly: boolean;
  /** What the runtime has to mount, in this order. */
  readonly mounts: readonly SpecMount[];
}

/** A source that outlives the step, so that it need not be made for every one; always read-only. */
export interface ReadyMount {
  readonly target: string;
  readonly readonly: true;
  readonly ready: MountSource;
}

/**
 * Mounts `rootfs` and `mounts` below `directory`, which is empty and this call's own. Nothing may run in the file system
 * any more when it is disposed.
 */
export async function openRootFileSystem(
  directory: string,
  rootfs: readonly Mount[],
  mounts: readonly (ExecMount | ReadyMount)[],
): Promise<RootFileSystem> {
  await using stack = new AsyncStack();
  const [base, root] = [join(directory, "base"), join(directory, "root")];
  for (const one of [base, root]) mkdirSync(one);
  stack.use(mountAt(rootfs, base));
  const points = new MountPoints();
  stack.defer(() => points.remove(base));
  // Mounts go into a second view, so that one call takes them all away and leaves the bare snapshot to tidy up.
  bindMount(base, root);
  stack.defer(() => detach(root));
  for (const one of kernelDirectories) {
    checkKernelDirectory(root, one);
    points.ensure(root, one, "directory")[Symbol.dispose]();
  }
  const specMounts: SpecMount[] = [];
  for (const [index, mount] of inMountOrder(mounts).entries()) {
    const tree = { root, points, stack, directory: join(directory, `mount-${index}`) };
    try {
      specMounts.push(...(await place(mount, tree)));
    } catch (error) {
      throw wrap(error, `mounting ${mount.target}`);
    }
  }
  const owned = stack.move();
  return {
    path: root,
    readonly: rootfs.every((mount) =>
      mount.type === "bind" ? mount.readonly : mount.upper === undefined,
    ),
    mounts: specMounts,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/**
 * The directory that a process starts in, with all links followed, made (0755, root) where the image lacks it. Throws
 * `RUNTIME_FAILED` for places in /proc: through the file descriptors of a runtime they lead out of the container
 * (CVE-2024-21626).
 */
export function ensureWorkingDirectory(root: string, cwd: string): string {
  const path = insideOf(root, cwd);
  if (path.startsWith("/proc/")) {
    throw new KilnError("RUNTIME_FAILED", `the working directory ${cwd} lies in /proc`, {
      hint: "Set WORKDIR to an ordinary directory.",
    });
  }
  if (kernelDirectoryOf(path) === undefined)
    ensureInRoot(root, path, "directory")[Symbol.dispose]();
  return path;
}

/** `path` with all links followed, as seen from inside. */
function insideOf(root: string, path: string): string {
  return resolveInRoot(root, posix.join("/", path), { followLast: true }).slice(root.length) || "/";
}

/** Parents before what is mounted in them, otherwise as given. */
function inMountOrder<T extends { readonly target: string }>(mounts: readonly T[]): readonly T[] {
  const depth = ({ target }: T) => posix.join("/", target).split("/").filter(Boolean).length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

/** A link, file or FIFO in the place of /proc or /dev has led runtimes astray (CVE-2023-28642, GHSA-xjvp-4fhw-gc47). */
function checkKernelDirectory(root: string, path: string): void {
  const found = lstatSync(root + path, { throwIfNoEntry: false });
  if (found === undefined || found.isDirectory()) return;
  throw new KilnError("RUNTIME_FAILED", `the image's ${path} is not a directory`, {
    hint: `Replace ${path} in the image by an empty directory: the step's own ${path} is mounted there.`,
  });
}

function kernelDirectoryOf(path: string): string | undefined {
  return kernelDirectories.find((one) => path === one || path.startsWith(`${one}/`));
}

interface Tree {
  readonly root: string;
  readonly points: MountPoints;
  readonly stack: AsyncStack;
  /** For this mount's own files; does not exist yet. */
  readonly directory: string;
}

/** Mounts one thing into the tree, or says how the runtime is to do it. */
async function place(mount: ExecMount | ReadyMount, tree: Tree): Promise<readonly SpecMount[]> {
  const { root, points } = tree;
  const target = insideOf(root, mount.target);
  if (target === "/") {
    throw new KilnError("RUNTIME_FAILED", "the root directory cannot be mounted over");
  }
  const source = await sourceOf(mount, tree);
  if (kernelDirectoryOf(target) !== undefined) {
    const devices = "what" in mount && mount.what.type === "directory" && mount.what.devices;
    const kept = devices ? ["nosuid", "noexec"] : ["nodev"];
    const options = ["rbind", mount.readonly ? "ro" : "rw", ...kept, "rprivate"];
    return [{ destination: target, type: "none", source: source.path, options }];
  }
  using at = points.ensure(root, target, source.kind);
  bindMount(source.path, at.path);
  return [];
}

async function sourceOf(mount: ExecMount | ReadyMount, tree: Tree): Promise<MountSource> {
  if ("ready" in mount) return mount.ready;
  mkdirSync(tree.directory);
  return await openSource(tree.directory, mount, tree.stack);
}
