// Small read-only files that step after step gets: made and mounted once, by content.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AsyncStack } from "../../base/index.ts";
import { type MountSource, openSource } from "./mount-sources.ts";

/** Keeps files below a directory of its own until it is disposed. */
export class ConstantFiles implements AsyncDisposable {
  readonly #directory: string;
  readonly #files = new Map<string, Promise<MountSource>>();
  readonly #stack = new AsyncStack();

  /** `directory` must exist and be empty. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A mounted file (0644, root) with this text; the same one for the same text. */
  file(text: string): Promise<MountSource> {
    const known = this.#files.get(text);
    if (known !== undefined) return known;
    const made = this.#make(text);
    this.#files.set(text, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  async #make(text: string): Promise<MountSource> {
    const directory = join(this.#directory, `${this.#files.size}`);
    mkdirSync(directory);
    const data = new TextEncoder().encode(text);
    const what = { type: "file", data, mode: 0o644, uid: 0, gid: 0 } as const;
    return await openSource(directory, { target: "", readonly: true, what }, this.#stack);
  }
}
