// Stacks on disk: which layers a snapshot has, by a name that follows from them, and how often it was used.
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { fromNodeError, log } from "../../base/index.ts";
import { formatVersion, parseStack } from "./layer-documents.ts";
import type { SnapshotLayer } from "./snapshot.ts";

const debug = log("snapshot");

/** `dir/<id>.json` for each. */
export class StackFiles {
  readonly #dir: string;
  readonly #temporary: () => string;
  /** Whose use by this process has been noted. */
  readonly #used = new Set<string>();

  /** `temporary` names a file that does not exist yet, on the same file system. */
  constructor(dir: string, temporary: () => string) {
    this.#dir = dir;
    this.#temporary = temporary;
  }

  ids(): readonly string[] {
    return readdirSync(this.#dir).map((name) => name.replace(/\.json$/, ""));
  }

  /** Answers the id; `hold` is called with it before it can be seen that the stack is there. */
  save(layers: readonly SnapshotLayer[], hold: (id: string) => void): string {
    const text = JSON.stringify({ version: formatVersion, layers });
    const id = createHash("sha256").update(text).digest("hex");
    hold(id);
    if (existsSync(this.#path(id))) {
      this.#noteUse(id);
      return id;
    }
    const temporary = this.#temporary();
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, this.#path(id));
    this.#used.add(id);
    return id;
  }

  /** Undefined when there is no such stack, or its file is damaged. */
  read(id: string): readonly SnapshotLayer[] | undefined {
    if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
    return parseStack(readIfThere(this.#path(id)));
  }

  /** How often, and when last, processes have opened a stack. */
  use(id: string): { readonly at: Date; readonly count: number } | undefined {
    const text = readIfThere(this.#path(id));
    const stat = statSync(this.#path(id), { throwIfNoEntry: false });
    if (text === undefined || stat === undefined) return undefined;
    return { at: stat.mtime, count: 1 + text.length - text.trimEnd().length };
  }

  remove(id: string): void {
    this.#used.delete(id);
    rmSync(this.#path(id), { force: true });
  }

  #path(id: string): string {
    return `${this.#dir}/${id}.json`;
  }

  /** A line is added to the file: their number and the file's time say how often and when the stack was used. */
  #noteUse(id: string): void {
    if (this.#used.has(id)) return;
    this.#used.add(id);
    try {
      const file = openSync(this.#path(id), constants.O_WRONLY | constants.O_APPEND);
      try {
        writeSync(file, "\n");
      } finally {
        closeSync(file);
      }
    } catch (error) {
      // Of use for pruning only.
      debug.debug("could not note a use", { id, error: String(error) });
    }
  }
}

/** Undefined when there is no such file. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fromNodeError(error, `reading ${path}`);
  }
}
