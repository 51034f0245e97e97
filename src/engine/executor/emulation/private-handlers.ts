// Emulators registered for this build alone: a binfmt_misc of a user namespace's own, which the machine never sees.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AsyncStack } from "../../../base/index.ts";
import { loadSyscalls } from "../../../storage/snapshot/index.ts";
import { type IdRange, isInitial, readIdMap } from "../../isolation/index.ts";
import { type Emulator, registration } from "./emulators.ts";

const MNT_DETACH = 2;

/** Emulators that the kernel starts for processes of one user namespace. Disposing unregisters them. */
export interface PrivateHandlers extends AsyncDisposable {
  readonly emulators: readonly Emulator[];
  /** Words to put before a command that is to run in that namespace; none where this process is in it. */
  readonly enter: readonly string[];
}

/** Where this process is in a user namespace already: a table of that namespace's own. Throws what the kernel refuses. */
export function openOwnHandlers(
  directory: string,
  emulators: readonly Emulator[],
): PrivateHandlers {
  const table = join(directory, "own-binfmt_misc");
  mkdirSync(table);
  loadSyscalls().mount("kiln", table, "binfmt_misc", 0, "");
  const registered = emulators.filter((emulator) => {
    const line = registration(emulator);
    if (line !== undefined) writeFileSync(join(table, "register"), line, "latin1");
    return line !== undefined;
  });
  return {
    emulators: registered,
    enter: [],
    async [Symbol.asyncDispose]() {
      loadSyscalls().umount2(table, MNT_DETACH);
      rmdirSync(table);
    },
  };
}

/** All ids are themselves; in two pieces, since runtimes take the kernel's single one to mean that there is no namespace. */
const everybody = "0 0 65536\n65536 65536 4294901759\n";

/** The map of a namespace in which everybody is who they are in this one, which has `own`. */
export function identityMap(own: readonly IdRange[]): string {
  if (own.length === 0 || isInitial(own)) return everybody;
  return own.map(({ inside, count }) => `${inside} ${inside} ${count}\n`).join("");
}

/**
 * What holds the namespace open. It ends when its input does, also when Kiln is killed. Lines: told to go on once its ids
 * are mapped, then one registration each, then an empty one.
 */
const holder = `echo started
read -r _
mount -t binfmt_misc kiln "$1" || exit
while read -r line && [ -n "$line" ]; do
  printf %s "$line" >"$1/register" || exit
done
echo registered
read -r _`;

/**
 * A user namespace in which everybody is who they are here, with a table of its own: for root, and for other emulators than
 * those of this process's own namespace. Rejects where that is refused.
 * `directory` is in this process's private mount namespace. `find` answers where a program is.
 */
export async function openNestedHandlers(
  directory: string,
  emulators: readonly Emulator[],
  find: (name: string) => string | undefined,
): Promise<PrivateHandlers> {
  const [unshare, nsenter] = [find("unshare"), find("nsenter")];
  if (unshare === undefined || nsenter === undefined)
    throw new Error("unshare and nsenter of util-linux are not installed");
  await using opening = new AsyncStack();
  const table = mkdtempSync(join(directory, "nested-binfmt_misc-"));
  opening.defer(() => rmdirSync(table));
  const child = spawn(unshare, ["--user", "--mount", "sh", "-c", holder, "sh", table], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  opening.defer(() => end(child));
  const told = talk(child);
  await told("started");
  for (const map of ["uid_map", "gid_map"])
    writeFileSync(`/proc/${child.pid}/${map}`, identityMap(readIdMap(`/proc/self/${map}`)));
  const lines = emulators.flatMap((emulator) => registration(emulator) ?? []);
  child.stdin.write(`\n${lines.join("\n")}\n\n`);
  await told("registered");
  // The holder does not keep Kiln from ending.
  child.unref();
  const owned = opening.move();
  return {
    emulators,
    enter: [nsenter, `--user=/proc/${child.pid}/ns/user`, "--preserve-credentials", "--"],
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Answers a function that waits for a line of the child's, and rejects with what it said when it ends instead. */
function talk(child: ChildProcess): (line: string) => Promise<void> {
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
    Symbol.asyncIterator
  ]();
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  return async (line) => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    if (done === true || value !== line)
      throw new Error(complaint.trim() || "the namespace could not be made");
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.ref();
  const ended = once(child, "exit");
  child.stdin?.end();
  child.kill("SIGKILL");
  await ended;
}
