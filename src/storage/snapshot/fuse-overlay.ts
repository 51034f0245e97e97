// Overlay mounts by fuse-overlayfs, for kernels that let no user namespace mount their own; the layers are the same.
import { spawnSync } from "node:child_process";
import { existsSync, unlinkSync } from "node:fs";
import { fsPath } from "../../base/index.ts";
import { loadSyscalls } from "./syscalls.ts";
import { inside, namesIn, pathIn, statOf } from "./tree-files.ts";
import { makeWhiteout, setOpaque } from "./whiteout.ts";

interface FuseMount {
  /** Topmost first. */
  readonly lower: readonly string[];
  readonly upper?: string;
  readonly work?: string;
}

/** Mounts it at `target`; the program behind it ends when it is unmounted. Throws what the program says. */
export function mountFuse({ lower, upper, work }: FuseMount, target: string): void {
  const options = [
    `lowerdir=${lower.map(escapeOption).join(":")}`,
    ...(upper === undefined || work === undefined
      ? ["ro"]
      : [`upperdir=${escapeOption(upper)}`, `workdir=${escapeOption(work)}`]),
  ];
  const run = spawnSync("fuse-overlayfs", ["-o", options.join(","), target], {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    timeout: 30_000,
  });
  if (run.status === 0) return;
  const said = run.error?.message ?? run.stderr.trim().split("\n").at(-1) ?? "";
  throw new Error(`fuse-overlayfs: ${said || `exit code ${run.status}`}`);
}

const opaqueFile = ".wh..wh..opq";
const whiteoutPrefix = ".wh.";
const opaqueAttributes = ["user.fuseoverlayfs.opaque", "trusted.overlay.opaque"];

/** Puts the kernel's marks in the place of fuse-overlayfs's own in an upper directory that is not mounted any more. */
export function adoptFuseMarks(upper: string, userXattr: boolean, path = ""): void {
  const directory = pathIn(upper, path);
  for (const name of namesIn(directory)) {
    const child = pathIn(upper, inside(path, name));
    if (name === opaqueFile) {
      unlinkSync(fsPath(child));
      setOpaque(directory, userXattr);
    } else if (name.startsWith(whiteoutPrefix)) {
      unlinkSync(fsPath(child));
      const hidden = pathIn(upper, inside(path, name.slice(whiteoutPrefix.length)));
      if (!existsSync(fsPath(hidden))) makeWhiteout(hidden);
    } else if (statOf(child)?.isDirectory()) adoptFuseMarks(upper, userXattr, inside(path, name));
  }
  for (const name of loadSyscalls().llistxattr(directory)) {
    if (name === "user.fuseoverlayfs.opaque" || (userXattr && opaqueAttributes.includes(name))) {
      loadSyscalls().lremovexattr(directory, name);
      setOpaque(directory, userXattr);
    } else if (name.startsWith("user.fuseoverlayfs.")) loadSyscalls().lremovexattr(directory, name);
  }
}

function escapeOption(value: string): string {
  return value.replace(/[\\,:]/g, (char) => `\\${char}`);
}
