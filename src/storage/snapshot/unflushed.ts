// Which layers the disk may not have yet: after a power cut they are not believed.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { log, processTag } from "../../base/index.ts";
import { loadSyscalls } from "./syscalls.ts";

const debug = log("snapshot");

/** How long a process that goes on and on leaves its layers to the kernel, in milliseconds. */
const flushEvery = 30_000;

/** As many names as fit on a command line; the others have their turn with the next flush. */
const namesAtOnce = 1000;

/** `$0` is the directory, the rest are names in it. Only what the disk has for sure is crossed out. */
const flushScript = 'cd "$0" && sync -f . && rm -f -- "$@"';

/**
 * The directory `unflushed` of a store: an empty file `<boot>-<layer>` for every layer that was made since its file system
 * was last written out. A journal keeps the order of names: whoever finds the layer after a power cut finds its note too.
 */
export class UnflushedLayers {
  readonly #dir: string;
  readonly #boot: string;
  #noted = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(dir: string, boot: string = processTag().split("_")[0] ?? "") {
    this.#dir = dir;
    this.#boot = boot;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** To be called when all of a layer is written, before others can see it. */
  note(id: string): void {
    writeFileSync(`${this.#dir}/${this.#boot}-${id}`, "", { mode: 0o600 });
    this.#noted++;
    this.#timer ??= setInterval(() => this.#flush(false), flushEvery).unref();
  }

  /**
   * Calls `drop` for every layer that may have been damaged when the machine stopped. Others that open the store meanwhile
   * wait, so that nobody uses such a layer, nor loses one that was made anew.
   */
  dropLost(drop: (id: string) => void): void {
    if (this.#lost().length === 0) return;
    const lock = openSync(this.#dir, "r");
    try {
      const { tryFlock } = loadSyscalls();
      while (!tryFlock(lock, "exclusive")) sleep(10);
      for (const name of this.#lost()) {
        const id = name.slice(name.indexOf("-") + 1);
        debug.debug("dropping what the machine may have lost", { id });
        drop(id);
        rmSync(`${this.#dir}/${name}`, { force: true });
      }
    } finally {
      closeSync(lock);
    }
  }

  /** Has the file system written out, by a process that outlives this one: nobody waits for the disk. */
  close(): void {
    clearInterval(this.#timer);
    this.#flush(true);
  }

  #lost(): readonly string[] {
    return readdirSync(this.#dir).filter(
      (name) => name.includes("-") && !name.startsWith(`${this.#boot}-`),
    );
  }

  #flush(detached: boolean): void {
    if (this.#noted === 0) return;
    this.#noted = 0;
    try {
      const own = readdirSync(this.#dir).filter((name) => name.startsWith(`${this.#boot}-`));
      const args = ["-c", flushScript, this.#dir, ...own.slice(0, namesAtOnce)];
      const child = spawn("/bin/sh", args, { detached, stdio: "ignore", cwd: "/" });
      // Without a shell the notes stay: the layers are of use until the machine stops.
      child.on("error", (error) => debug.debug("could not flush", { error: String(error) }));
      child.unref();
    } catch (error) {
      debug.debug("could not flush", { error: String(error) });
    }
  }
}

/** In milliseconds, without letting anything else happen. */
function sleep(time: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, time);
}
