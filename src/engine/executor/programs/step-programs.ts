// The programs of our own that every step needs, put where a runtime can start them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { leashProgram } from "./leash-program.ts";
import { type MountFlag, remountProgram } from "./remount-program.ts";

/** Programs for one machine below a directory of the executor's own, each written when it is first asked for. */
export class StepPrograms {
  readonly #directory: string;
  readonly #machine: string;
  readonly #placed = new Map<string, string | undefined>();

  /** `machine`: GOARCH name. The directory, and thereby the programs, is the caller's to remove. */
  constructor(directory: string, machine: string) {
    this.#directory = directory;
    this.#machine = machine;
  }

  /** Path of the leash (see `leashProgram`); undefined where there is none for this machine. */
  leash(): string | undefined {
    return this.#place("leash", () => leashProgram(this.#machine));
  }

  /** Path of the hook that adds `flags` to a mount (see `remountProgram`); undefined where there is none for this machine. */
  remount(flags: readonly MountFlag[]): string | undefined {
    return this.#place(["remount", ...flags].join("-"), () => remountProgram(this.#machine, flags));
  }

  #place(name: string, make: () => Uint8Array | undefined): string | undefined {
    if (this.#placed.has(name)) return this.#placed.get(name);
    const program = make();
    const path = program && join(this.#directory, name);
    if (path !== undefined) writeFileSync(path, program ?? "", { mode: 0o755 });
    this.#placed.set(name, path);
    return path;
  }
}
