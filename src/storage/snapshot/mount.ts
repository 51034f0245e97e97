// Mounting what `mounts()` describes, so that nothing outlives the process: detached or in a private mount namespace.
import { Buffer } from "node:buffer";
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { type Call, fromNodeError, KilnError, log, throwIfAborted } from "../../base/index.ts";
import { mountFuse } from "./fuse-overlay.ts";
import type { Mount } from "./snapshot.ts";
import { loadSyscalls } from "./syscalls.ts";

const debug = log("snapshot");

const newMountNamespace = 0x20000;
const mountRecursive = 0x4000;
const mountPrivate = 1 << 18;
/** As a flag of mount(2) and as an attribute of fsmount(2) alike. */
const mountReadonly = 1;
/** The same, both ways: device nodes that images bring along, or steps make, are files that cannot be opened. */
const mountNoDevices = 4;
const unmountDetach = 2;

type OverlayMount = Mount & { readonly type: "overlay" };

/**
 * Mounts at the existing directory `target`, in a mount namespace private to this process (entered at the first mount),
 * so that even kill -9 leaves nothing on the host. Only synchronous fs calls on the main thread, child processes and
 * Workers started later see it. Disposing unmounts; what still uses the mount keeps it until it ends.
 */
export function mountAt(mounts: readonly Mount[], target: string): Disposable {
  const mount = onlyOne(mounts);
  try {
    enterMountNamespace();
    // What a volatile mount leaves behind to say that a crash may have damaged it; we know that none happened.
    if (mount.type === "overlay" && mount.work !== undefined) {
      rmSync(`${mount.work}/work/incompat`, { recursive: true, force: true });
    }
    attach(mount, target);
  } catch (error) {
    throw mountError(error, mount.type);
  }
  let mounted = true;
  return {
    [Symbol.dispose]: () => {
      if (mounted) loadSyscalls().umount2(target, unmountDetach);
      mounted = false;
    },
  };
}

/**
 * Calls `use` with a directory that shows `mounts`; it is gone afterwards. Read and write below it with synchronous fs
 * calls on the main thread only, and resolve paths with `resolveInRoot`. A bind mount is lent as the directory itself:
 * whoever asked for a read-only view keeps to reading.
 */
export async function withMounted<T>(
  mounts: readonly Mount[],
  call: Call,
  use: (directory: string) => T | Promise<T>,
): Promise<T> {
  throwIfAborted(call);
  const mount = onlyOne(mounts);
  if (mount.type === "bind") return use(mount.source);
  const point = createMountPoint();
  try {
    using _mounted = mountAt(mounts, point);
    return await use(point);
  } finally {
    rmdirSync(point);
  }
}

let points: string | undefined;
let pointCount = 0;

/**
 * A new empty directory to mount at, in a tmpfs that only this process and its children see, so that nothing is left of
 * it even after kill -9. Remove it with `rmdirSync` after unmounting.
 */
function createMountPoint(): string {
  points ??= mountPoints();
  const point = `${points}/${++pointCount}`;
  mkdirSync(point, { mode: 0o700 });
  return point;
}

function mountPoints(): string {
  enterMountNamespace();
  const directory = mountPointsDirectory();
  try {
    loadSyscalls().mount("kiln", directory, "tmpfs", 0, "mode=0700");
  } catch (error) {
    throw mountError(error, "tmpfs");
  }
  return directory;
}

/** Any directory does, since the tmpfs hides it from us only. */
function mountPointsDirectory(): string {
  try {
    mkdirSync("/run/kiln", { recursive: true, mode: 0o700 });
    return "/run/kiln";
  } catch {
    const directory = mkdtempSync(join(tmpdir(), "kiln-mounts-"));
    process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
    return directory;
  }
}

let entered = false;

/** Moves this process into a mount namespace of its own (once; later calls do nothing). Main thread only. */
export function enterMountNamespace(): void {
  if (entered) return;
  if (!isMainThread) throw new Error("the mount namespace can only be entered on the main thread");
  const syscalls = loadSyscalls();
  try {
    syscalls.unshare(newMountNamespace);
    syscalls.mount("none", "/", "", mountRecursive | mountPrivate, "");
  } catch (error) {
    throw mountError(error, "namespace");
  }
  entered = true;
  debug.debug("entered a mount namespace");
}

/** Snapshots give one mount each; more would need an order that nobody has defined. */
function onlyOne(mounts: readonly Mount[]): Mount {
  const [mount] = mounts;
  if (mount === undefined || mounts.length !== 1)
    throw new Error(`expected one mount, got ${mounts.length}`);
  return mount;
}

function attach(mount: Mount, target: string): void {
  if (mount.type === "overlay" && mount.fuse === true) {
    mountFuse(mount, target);
    return;
  }
  const syscalls = loadSyscalls();
  const fd = mount.type === "bind" ? detachedBind(mount) : detachedOverlay(mount);
  if (fd === undefined) {
    if (mount.type === "overlay") attachOldOverlay(mount, target);
    return;
  }
  try {
    syscalls.moveMount(fd, target);
  } finally {
    closeSync(fd);
  }
}

function detachedBind(mount: Mount & { readonly type: "bind" }): number {
  const syscalls = loadSyscalls();
  const fd = syscalls.openTree(mount.source);
  try {
    syscalls.setMountAttributes(fd, mountNoDevices | (mount.readonly ? mountReadonly : 0));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The overlay as a mount attached nowhere; undefined where the kernel (before 6.7) cannot take layers one by one. */
function detachedOverlay(mount: OverlayMount): number | undefined {
  if (forceOldMount) return undefined;
  const syscalls = loadSyscalls();
  const fs = openOverlay();
  if (fs === undefined) return undefined;
  try {
    const options = overlayOptions(mount);
    for (const [at, lower] of mount.lower.entries()) {
      if (at === 0 && !supportsLayerOption(() => syscalls.fsconfigString(fs, "lowerdir+", lower)))
        return undefined;
      if (at > 0) syscalls.fsconfigString(fs, "lowerdir+", lower);
    }
    for (const [key, value] of options) {
      if (value === undefined) syscalls.fsconfigFlag(fs, key);
      else syscalls.fsconfigString(fs, key, value);
    }
    try {
      syscalls.fsconfigCreate(fs);
    } catch (error) {
      const said = kernelSays(fs);
      if (error instanceof Error && said !== "") error.message = `${error.message} (${said})`;
      throw error;
    }
    return syscalls.fsmount(fs, mountNoDevices | (mount.upper === undefined ? mountReadonly : 0));
  } finally {
    closeSync(fs);
  }
}

/** The kernel keeps its complaints about a mount, one line per read. */
function kernelSays(fs: number): string {
  const line = Buffer.alloc(1024);
  try {
    return line.toString("utf8", 0, readSync(fs, line)).trim();
  } catch {
    return "";
  }
}

function openOverlay(): number | undefined {
  try {
    return loadSyscalls().fsopen("overlay");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSYS") return undefined;
    throw error;
  }
}

function supportsLayerOption(set: () => void): boolean {
  try {
    set();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EINVAL") return false;
    throw error;
  }
}

/**
 * Redirects and metadata-only copies would make upper directories that mean nothing without their lower ones; layers
 * must stand alone. `volatile` skips syncs to an upper directory that a crash throws away anyway.
 */
function overlayOptions(mount: OverlayMount): readonly (readonly [string, string?])[] {
  return [
    ...(mount.userXattr === true
      ? ([["userxattr"]] as const)
      : ([
          ["redirect_dir", "nofollow"],
          ["metacopy", "off"],
        ] as const)),
    ["index", "off"],
    ...(mount.upper === undefined || mount.work === undefined
      ? []
      : ([["upperdir", mount.upper], ["workdir", mount.work], ["volatile"]] as const)),
  ];
}

/** Set by tests, to take the way of kernels before 6.7. */
let forceOldMount = false;

/** @internal For tests: whether to mount as on kernels before 6.7. */
export function useOldMountCall(old: boolean): void {
  forceOldMount = old;
}

/**
 * mount(2) has one page for all options: layers are named by open descriptors, relative to /proc/self/fd, so that some
 * hundreds fit.
 */
function attachOldOverlay(mount: OverlayMount, target: string): void {
  const open: number[] = [];
  const directory = process.cwd();
  try {
    for (const lower of mount.lower) open.push(openSync(lower, "r"));
    const options = overlayOptions(mount).map(([key, value]) =>
      value === undefined ? key : `${key}=${escapeOption(value)}`,
    );
    process.chdir("/proc/self/fd");
    const flags = mountNoDevices | (mount.upper === undefined ? mountReadonly : 0);
    loadSyscalls().mount(
      "overlay",
      target,
      "overlay",
      flags,
      [`lowerdir=${open.join(":")}`, ...options].join(","),
    );
  } finally {
    process.chdir(directory);
    for (const fd of open) closeSync(fd);
  }
}

function escapeOption(value: string): string {
  return value.replace(/[\\,:]/g, (char) => `\\${char}`);
}

function mountError(error: unknown, what: string): unknown {
  if (error instanceof KilnError || !(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC") return fromNodeError(error, "mounting a snapshot");
  const denied = code === "EPERM" || code === "EACCES";
  return new KilnError("SNAPSHOT_FAILED", `mounting a snapshot (${what}): ${error.message}`, {
    cause: error,
    hint: denied
      ? "Run Kiln as root, or let it use copies instead of mounts."
      : "Check that the file system of Kiln's root directory can hold overlayfs layers (ext4, xfs, btrfs, tmpfs can).",
  });
}
