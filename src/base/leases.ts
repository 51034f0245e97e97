// Telling other processes on one store what this process uses, so that none of it is collected under its hands.
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { isDead, processTag } from "./liveness.ts";

const collecting = "collecting-";
/** Collecting takes milliseconds; a process that is stopped in the middle must not stop all others for good. */
const longestWait = 5000;

/**
 * Names in use, by process: `<dir>/<tag>-<random>` lists what one process uses until it ends, `<dir>/collecting-<tag>-<random>`
 * says that one is deciding what to remove. A user writes its lease and then looks for collectors; a collector shows itself
 * and then reads the leases: at least one of the two sees the other, whatever the order. No locks; kill -9 leaves a file that
 * counts for nothing.
 */
export class LeaseTable {
  readonly #dir: string;
  readonly #own = `${processTag()}-${randomBytes(4).toString("hex")}`;
  readonly #held = new Set<string>();
  #file: number | undefined;

  /** The directory is made when the first name is held. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** When this returns, whatever of those names exists stays until the process ends or lets go. */
  hold(names: readonly string[]): void {
    const news = names.filter((name) => !this.#held.has(name));
    if (news.length === 0) return;
    this.#file ??= this.#open(this.#own);
    writeSync(this.#file, news.map((name) => `${name}\n`).join(""));
    this.#waitForCollectors();
    for (const name of news) this.#held.add(name);
  }

  isHeldHere(name: string): boolean {
    return this.#held.has(name);
  }

  /** What others hold: live processes, and other tables of this one. */
  heldElsewhere(): ReadonlySet<string> {
    return this.#heldIn((name) => name !== this.#own);
  }

  /** What other live processes hold. */
  heldByOthers(): ReadonlySet<string> {
    return this.#heldIn((name) => tagOf(name) !== processTag());
  }

  #heldIn(counts: (name: string) => boolean): ReadonlySet<string> {
    const held = new Set<string>();
    for (const name of this.#names()) {
      if (!counts(name) || name.startsWith(collecting) || isDead(tagOf(name)) === true) continue;
      for (const line of readLines(`${this.#dir}/${name}`)) held.add(line);
    }
    return held;
  }

  /**
   * Calls `remove` for each name that nobody else holds; it must take the thing out of sight at once (rename it) and not
   * wait, for others wait meanwhile. Answers with the names that were removed.
   */
  collect(names: readonly string[], remove: (name: string) => void): readonly string[] {
    if (names.length === 0) return [];
    const sign = `${collecting}${this.#own}`;
    // Empty: this must work on a full disk.
    closeSync(this.#open(sign));
    try {
      const held = this.heldElsewhere();
      const free = names.filter((name) => !held.has(name));
      for (const name of free) {
        remove(name);
        this.#held.delete(name);
      }
      return free;
    } finally {
      rmSync(`${this.#dir}/${sign}`, { force: true });
    }
  }

  /** Lets go of all names. Others may be held afterwards. */
  release(): void {
    this.#held.clear();
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    rmSync(`${this.#dir}/${this.#own}`, { force: true });
  }

  /** Removes what dead processes left. */
  sweep(): void {
    for (const name of this.#names()) {
      if (isDead(tagOf(name)) === true) rmSync(`${this.#dir}/${name}`, { force: true });
    }
  }

  #open(name: string): number {
    const open = () => openSync(`${this.#dir}/${name}`, "a", 0o600);
    try {
      return open();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
      return open();
    }
  }

  #waitForCollectors(): void {
    while (this.#names().some((name) => name.startsWith(collecting) && this.#isAtWork(name))) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }

  #isAtWork(collector: string): boolean {
    if (isDead(tagOf(collector)) === true) return false;
    const stat = statSync(`${this.#dir}/${collector}`, { throwIfNoEntry: false });
    return stat !== undefined && Date.now() - stat.mtimeMs < longestWait;
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#dir);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }
}

function tagOf(name: string): string {
  return name.replace(collecting, "").split("-")[0] ?? "";
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
