// Overlay mounts by fuse-overlayfs, for kernels that let no user namespace mount their own; the layers are the same.
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fsPath, temporaryName } from "../../base/index.ts";
import { loadSyscalls } from "./syscalls.ts";
import { inside, namesIn, pathIn, statOf } from "./tree-files.ts";
import { makeWhiteout, setOpaque } from "./whiteout.ts";

interface FuseMount {
  /** Topmost first. */
  readonly lower: readonly string[];
  readonly upper?: string;
  readonly work?: string;
}

/** Patience with the program, in milliseconds. */
const startTime = 10_000;

/**
 * Mounts it at `target`; the program behind it ends when it is unmounted, and with this process, whose mount namespace it
 * would otherwise keep. Throws what the program says. Main thread only.
 */
export function mountFuse({ lower, upper, work }: FuseMount, target: string): void {
  const options = [
    `lowerdir=${lower.map(escapeOption).join(":")}`,
    ...(upper === undefined || work === undefined
      ? ["ro"]
      : [`upperdir=${escapeOption(upper)}`, `workdir=${escapeOption(work)}`]),
  ];
  const complaints = join(tmpdir(), `kiln-fuse-${process.pid}-${temporaryName()}`);
  const log = openSync(complaints, "wx+", 0o600);
  unlinkSync(complaints);
  try {
    const before = statSync(target).dev;
    const child = spawn(
      "setpriv",
      ["--pdeathsig", "KILL", "fuse-overlayfs", "-f", "-o", options.join(","), target],
      { stdio: ["ignore", "ignore", log] },
    );
    // Told by the state of the process, which is looked at below.
    child.on("error", () => {});
    child.unref();
    const end = performance.now() + startTime;
    while (statSync(target).dev === before) {
      if (child.pid !== undefined && isRunning(child.pid) && performance.now() < end) pause();
      else throw new Error(`fuse-overlayfs: ${lastLine(log) || "it does not start"}`);
    }
  } finally {
    closeSync(log);
  }
}

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** For a moment, this thread and nobody else. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

function lastLine(file: number): string {
  const text = new Uint8Array(4096);
  const size = readSync(file, text, 0, text.length, 0);
  return new TextDecoder().decode(text.subarray(0, size)).trim().split("\n").at(-1) ?? "";
}

/** It makes both, for the sake of programs that read the one or the other. */
const opaqueFiles = [".wh..wh..opq", ".wh..opq"];
const whiteoutPrefix = ".wh.";
const opaqueAttributes = ["user.fuseoverlayfs.opaque", "trusted.overlay.opaque"];

/** Puts the kernel's marks in the place of fuse-overlayfs's own in an upper directory that is not mounted any more. */
export function adoptFuseMarks(upper: string, userXattr: boolean, path = ""): void {
  const directory = pathIn(upper, path);
  for (const name of namesIn(directory)) {
    const child = pathIn(upper, inside(path, name));
    if (opaqueFiles.includes(name)) {
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
