// Whole logs of builds on disk: a file for each step that said something, the newest builds' kept.
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { BuildEvent } from "../../api/index.ts";
import { type Digest, digestHex, digestOf, log } from "../../base/index.ts";

const debug = log("logs");

/** Logs of earlier builds are kept up to this many bytes and builds. The newest build's are kept whole, whatever their size. */
const keptBytes = 512 * 1024 * 1024;
const keptBuilds = 200;

/** Of a step's name in its file's. */
const longestName = 60;

interface StepLog {
  readonly path: string;
  /** Undefined once the step is over, or when writing failed: a log that cannot be written must not stop a build. */
  file: number | undefined;
}

/**
 * Writes `<directory>/<ref>/<number>-<step>.log` as output comes: bytes as the step wrote them, both streams in one file.
 * Steps are numbered from 1 in the order in which they began. Dispose it to close the files and to make room.
 */
export class StepLogs implements Disposable {
  readonly #root: string;
  readonly #directory: string;
  readonly #begun = new Map<Digest, string>();
  readonly #logs = new Map<Digest, StepLog>();

  constructor(root: string, ref: string) {
    this.#root = root;
    const safe = /^[A-Za-z0-9_-]{1,64}$/.test(ref) ? ref : digestHex(digestOf(ref));
    this.#directory = join(root, safe);
  }

  /** Takes part of the event; a failed step's comes back with the path of its log. */
  event(event: BuildEvent): BuildEvent {
    if (event.type === "log") this.#write(event.step, event.data);
    if (event.type !== "step" || event.state === "planned") return event;
    if (!this.#begun.has(event.step))
      this.#begun.set(event.step, fileName(this.#begun.size + 1, event.name));
    if (event.state === "started") return event;
    const path = this.#close(event.step);
    return event.state === "failed" && path !== undefined ? { ...event, log: path } : event;
  }

  [Symbol.dispose](): void {
    if (this.#logs.size === 0) return;
    for (const step of this.#logs.keys()) this.#close(step);
    try {
      makeRoom(this.#root);
    } catch (error) {
      debug.debug("old logs stay", { error: String(error) });
    }
  }

  #write(step: Digest, data: Uint8Array): void {
    try {
      const known = this.#logs.get(step);
      if (known?.file !== undefined) {
        writeSync(known.file, data);
        return;
      }
      if (!known) mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const name = this.#begun.get(step) ?? fileName(0, digestHex(step));
      const path = known?.path ?? join(this.#directory, name);
      const file = openSync(path, "a", 0o600);
      this.#logs.set(step, { path, file });
      writeSync(file, data);
    } catch (error) {
      debug.debug("a log is not written", { error: String(error) });
    }
  }

  #close(step: Digest): string | undefined {
    const known = this.#logs.get(step);
    if (known?.file !== undefined) closeSync(known.file);
    if (known) known.file = undefined;
    return known?.path;
  }
}

/** `7-build-2-3-run-make.log`. */
function fileName(number: number, step: string): string {
  const words = step
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, longestName)
    .replace(/^-+|-+$/g, "");
  return `${number}-${words || "step"}.log`;
}

/** Removes the oldest builds' logs beyond what is kept. */
function makeRoom(root: string): void {
  const builds = readdirSync(root)
    .map((name) => ({ path: join(root, name), time: lstatSync(join(root, name)).mtimeMs }))
    .sort((a, b) => b.time - a.time);
  let bytes = 0;
  for (const [at, { path }] of builds.entries()) {
    for (const name of readdirSync(path)) bytes += lstatSync(join(path, name)).size;
    if (at > 0 && (at >= keptBuilds || bytes > keptBytes)) rmSync(path, { recursive: true });
  }
}
