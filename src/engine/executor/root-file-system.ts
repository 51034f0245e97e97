// The file system that a step sees: its snapshot with everything mounted into it, and all of it taken away again.
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
  writeSync,
} from "node:fs";
import { join, posix } from "node:path";
import { AsyncStack, KilnError, resolveInRoot, wrap } from "../../base/index.ts";
import { loadSyscalls, type Mount, mountAt } from "../../storage/snapshot/index.ts";
import type { ExecMount } from "./executor.ts";
import { MountPoints } from "./mount-points.ts";
import type { SpecMount } from "./oci-spec.ts";
import { type Pin, pinInRoot } from "./pin.ts";
import { openRelay } from "./relay.ts";

const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_REC = 16384;
const MNT_DETACH = 2;

/** Where the kernel's own file systems go: the runtime mounts them, so what lies below is the runtime's to mount too. */
const kernelDirectories = ["/dev", "/proc", "/sys"] as const;

/** An assembled root file system. Disposing unmounts all of it and takes the mount points made for it away. */
export interface RootFileSystem extends AsyncDisposable {
  /** Host path, visible in this process's mount namespace. */
  readonly path: string;
  /** What the runtime has to mount, in this order. */
  readonly mounts: readonly SpecMount[];
}

/**
 * Mounts `rootfs` and `mounts` below `directory`, which is empty and this call's own. `cwd` is made when the image lacks
 * it, and stays. Nothing may run in the file system any more when it is disposed.
 */
export async function openRootFileSystem(
  directory: string,
  rootfs: readonly Mount[],
  mounts: readonly ExecMount[],
): Promise<RootFileSystem> {
  await using stack = new AsyncStack();
  const [base, root] = [join(directory, "base"), join(directory, "root")];
  for (const one of [base, root]) mkdirSync(one);
  stack.use(mountAt(rootfs, base));
  const points = new MountPoints();
  stack.defer(() => points.remove(base));
  // Mounts go into a second view, so that one call takes them all away and leaves the bare snapshot to tidy up.
  bind(base, root);
  stack.defer(() => loadSyscalls().umount2(root, MNT_DETACH));
  for (const one of kernelDirectories) {
    checkKernelDirectory(root, one);
    points.ensure(root, one, "directory")[Symbol.dispose]();
  }
  const specMounts: SpecMount[] = [];
  for (const [index, mount] of inMountOrder(mounts).entries()) {
    try {
      const one = await place(join(directory, `mount-${index}`), root, mount, points, stack);
      if (one !== undefined) specMounts.push(one);
    } catch (error) {
      throw wrap(error, `mounting ${mount.target}`);
    }
  }
  const owned = stack.move();
  return {
    path: root,
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
  const hostPath = resolveInRoot(root, posix.join("/", cwd), { followLast: true });
  const path = hostPath.slice(root.length) || "/";
  if (path.startsWith("/proc/")) {
    throw new KilnError("RUNTIME_FAILED", `the working directory ${cwd} lies in /proc`, {
      hint: "Set WORKDIR to an ordinary directory.",
    });
  }
  if (kernelDirectoryOf(path) !== undefined) return path;
  if (!lstatSync(hostPath, { throwIfNoEntry: false }))
    mkdirSync(hostPath, { recursive: true, mode: 0o755 });
  return path;
}

/** Parents before what is mounted in them, otherwise as given. */
function inMountOrder(mounts: readonly ExecMount[]): readonly ExecMount[] {
  const depth = ({ target }: ExecMount) =>
    posix.join("/", target).split("/").filter(Boolean).length;
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

/** Mounts one thing into the tree, or says how the runtime is to do it. */
async function place(
  directory: string,
  root: string,
  mount: ExecMount,
  points: MountPoints,
  stack: AsyncStack,
): Promise<SpecMount | undefined> {
  mkdirSync(directory);
  const target =
    resolveInRoot(root, posix.join("/", mount.target), { followLast: true }).slice(root.length) ||
    "/";
  if (target === "/")
    throw new KilnError("RUNTIME_FAILED", "the root directory cannot be mounted over");
  const source = await openSource(directory, mount, stack);
  if (kernelDirectoryOf(target) !== undefined) {
    return {
      destination: target,
      type: "none",
      source: source.path,
      options: ["rbind", mount.readonly ? "ro" : "rw", "rprivate"],
    };
  }
  using at = points.ensure(root, target, source.kind);
  bind(source.path, at.path);
  return undefined;
}

interface MountSource {
  /** A private mount of its own, with the right flags; nobody else knows it. */
  readonly path: string;
  readonly kind: "directory" | "file";
}

async function openSource(
  directory: string,
  mount: ExecMount,
  stack: AsyncStack,
): Promise<MountSource> {
  const { what } = mount;
  const path = join(directory, "source");
  switch (what.type) {
    case "tmpfs":
      mkdirSync(path);
      loadSyscalls().mount(
        "tmpfs",
        path,
        "tmpfs",
        MS_NOSUID | (mount.readonly ? MS_RDONLY : 0),
        `mode=1777${what.size ? `,size=${what.size}` : ""}`,
      );
      detachLater(path, stack);
      return { path, kind: "directory" };
    case "file":
      writeOwned(join(directory, "data"), what);
      return exposed(
        directory,
        pinned(directory, "data"),
        MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
        stack,
      );
    case "socket":
      stack.use(await openRelay(join(directory, "socket"), what.path, what));
      return exposed(directory, pinned(directory, "socket"), 0, stack);
    case "directory":
      return exposed(
        directory,
        selected(realpathSync(what.path), what.selector),
        mount.readonly ? MS_RDONLY : 0,
        stack,
      );
    case "snapshot": {
      const view = join(directory, "view");
      mkdirSync(view);
      stack.use(mountAt(what.mounts, view));
      return exposed(
        directory,
        selected(view, what.selector),
        mount.readonly ? MS_RDONLY : 0,
        stack,
      );
    }
  }
}

function pinned(root: string, path: string): Pin {
  const pin = pinInRoot(root, path);
  if (pin === undefined)
    throw new KilnError("RUNTIME_FAILED", `${path} does not exist in what is to be mounted`, {
      hint: "Check the mount's source path.",
    });
  return pin;
}

function selected(root: string, selector: string | undefined): Pin {
  return pinned(root, posix.join("/", selector ?? ""));
}

/** A bind mount of a pinned place under a name of our own: from here on nobody can exchange what it stands for. */
function exposed(directory: string, place: Pin, flags: number, stack: AsyncStack): MountSource {
  using pin = place;
  const path = join(directory, "source");
  const kind = statSync(pin.path).isDirectory() ? "directory" : "file";
  if (kind === "directory") mkdirSync(path);
  else closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600));
  bind(pin.path, path);
  detachLater(path, stack);
  if (flags !== 0) loadSyscalls().mount("none", path, "", MS_BIND | MS_REMOUNT | flags, "");
  return { path, kind };
}

function bind(from: string, to: string): void {
  loadSyscalls().mount(from, to, "", MS_BIND | MS_REC, "");
}

function detachLater(path: string, stack: AsyncStack): void {
  stack.defer(() => loadSyscalls().umount2(path, MNT_DETACH));
}

function writeOwned(
  path: string,
  file: {
    readonly data: Uint8Array;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
  },
): void {
  const handle = openSync(path, "wx", 0o600);
  try {
    for (let at = 0; at < file.data.length; ) at += writeSync(handle, file.data, at);
  } finally {
    closeSync(handle);
  }
  chownSync(path, file.uid, file.gid);
  chmodSync(path, file.mode);
}
