// What is mounted into a step, brought into a form of its own: a private mount that nobody else can exchange.
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
  writeSync,
} from "node:fs";
import { join, posix } from "node:path";
import { type AsyncStack, KilnError } from "../../base/index.ts";
import { canChown, loadSyscalls, mountAt } from "../../storage/snapshot/index.ts";
import type { ExecMount } from "./executor.ts";
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

/** A mount with the right flags, below a directory of the executor's own. */
export interface MountSource {
  readonly path: string;
  readonly kind: "directory" | "file";
}

/** Makes the source of one mount below `directory`, an empty directory; what it holds goes to `stack`. */
export async function openSource(
  directory: string,
  mount: ExecMount,
  stack: AsyncStack,
): Promise<MountSource> {
  const { what } = mount;
  const at = { directory, stack, flags: mount.readonly ? MS_RDONLY : 0 };
  switch (what.type) {
    case "tmpfs":
      return memory(what.size, at);
    case "file":
      writeOwned(join(directory, "data"), what);
      return expose(existing(directory, "data"), { ...at, flags: fileFlags });
    case "socket":
      stack.use(await openRelay(directory, "socket", what.connect, what));
      return expose(existing(directory, "socket"), { ...at, flags: 0 });
    case "directory":
      return expose(existing(realpathSync(what.path), what.selector), {
        ...at,
        devices: what.devices === true,
      });
    case "snapshot": {
      const view = join(directory, "view");
      mkdirSync(view);
      stack.use(mountAt(what.mounts, view));
      return expose(existing(view, what.selector), at);
    }
  }
}

/** Mounts one tree upon another place; both are taken as they are, so they must be pinned or private. */
export function bindMount(from: string, to: string): void {
  loadSyscalls().mount(from, to, "", MS_BIND | MS_REC, "");
}

/** Takes a mount away with all that is mounted in it, at once from sight and from use as soon as it is free. */
export function detach(path: string): void {
  loadSyscalls().umount2(path, MNT_DETACH);
}

/** Files that the builder hands in are data: secrets, hosts. */
const fileFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

interface SourcePlace {
  readonly directory: string;
  readonly stack: AsyncStack;
  /** Of mount(2). */
  readonly flags: number;
  /** Whether device nodes in it can be opened. */
  readonly devices?: boolean;
}

function memory(size: number | undefined, { directory, stack, flags }: SourcePlace): MountSource {
  const path = join(directory, "source");
  mkdirSync(path);
  const options = ["mode=1777", ...(size === undefined ? [] : [`size=${size}`])].join(",");
  loadSyscalls().mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | flags, options);
  stack.defer(() => detach(path));
  return { path, kind: "directory" };
}

/** The place that `path` means in what is to be mounted. Links never lead out of it. */
function existing(root: string, path: string | undefined): Pin {
  const pin = pinInRoot(root, posix.join("/", path ?? ""));
  if (pin !== undefined) return pin;
  throw new KilnError("RUNTIME_FAILED", `${path} does not exist in what is to be mounted`, {
    hint: "Check the mount's source path.",
  });
}

/** A bind mount of a pinned place under a name of our own: from here on nobody can exchange what it stands for. */
function expose(place: Pin, { directory, stack, flags, devices }: SourcePlace): MountSource {
  using pin = place;
  const path = join(directory, "source");
  const kind = statSync(pin.path).isDirectory() ? "directory" : "file";
  if (kind === "directory") mkdirSync(path);
  else closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600));
  bindMount(pin.path, path);
  stack.defer(() => detach(path));
  // Steps may make device nodes, as with Docker, but nothing opens one.
  const all = MS_BIND | MS_REMOUNT | (devices === true ? MS_NOSUID | MS_NOEXEC : MS_NODEV) | flags;
  loadSyscalls().mount("none", path, "", all, "");
  return { path, kind };
}

type OwnedFile = ExecMount["what"] & { readonly type: "file" };

function writeOwned(path: string, { data, mode, uid, gid }: OwnedFile): void {
  const file = openSync(path, "wx", 0o600);
  try {
    for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
  } finally {
    closeSync(file);
  }
  if (canChown) chownSync(path, uid, gid);
  chmodSync(path, mode);
}
