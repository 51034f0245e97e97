// What a container needs so that proot can put an emulator before every program in it, with nothing of it in the image.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { KilnError } from "../../../base/index.ts";
import { needsLoader } from "../elf.ts";
import type { SpecMount } from "../kernel-files.ts";
import { statusProgram } from "../programs/status-program.ts";
import { hostView, libraryDecoy } from "./proot-command.ts";

/** Where it lies in a step; /dev is the step's own. */
const place = "/dev/.kiln-prefix";
const emulatorPlace = "/dev/.kiln-emulator";
/** Variables for proot alone. Without a loader that is given, proot makes one in the step's /tmp, for its own user. */
const environment = [libraryDecoy, `PROOT_LOADER=${place}/loader`];

/** A step whose programs proot starts. */
export interface PrefixedStep {
  readonly args: readonly string[];
  readonly mounts: readonly SpecMount[];
  /** To go before the step's own variables, which alone the program sees. */
  readonly environment?: readonly string[];
}

/** Copies of proot with its libraries, and the first process; made when the first step needs them. */
export class PrefixFiles {
  readonly #directory: string;
  readonly #proot: string | undefined;
  /** Words that start proot in a step. */
  #start: readonly string[] | undefined;

  /** `directory` is the executor's own, and goes with it. */
  constructor(directory: string, proot: string | undefined) {
    this.#directory = join(directory, "prefix");
    this.#proot = proot;
  }

  /**
   * `program` is a path in the step, `args` what it is called with, from its name on. The status of the program is written
   * to `statusDescriptor`. Throws `RUNTIME_MISSING` where there is no proot that works.
   */
  step(
    machine: string,
    emulator: string,
    { program, args, cwd }: { program: string; args: readonly string[]; cwd: string },
  ): PrefixedStep {
    this.#start ??= this.#prepare(machine);
    const bound = ["rbind", "ro", "nosuid", "nodev"];
    return {
      args: [
        ...this.#start,
        ...["-v", "-1", "-r", "/", "-w", cwd, "-q", emulatorPlace],
        // Only what lies in that view is not given to the emulator.
        `${hostView}${place}/init`,
        program,
        ...args,
      ],
      environment,
      mounts: [
        { destination: place, type: "none", source: this.#directory, options: bound },
        { destination: emulatorPlace, type: "none", source: emulator, options: bound },
      ],
    };
  }

  #prepare(machine: string): readonly string[] {
    const init = statusProgram(machine, environment.length);
    if (this.#proot === undefined || init === undefined)
      throw new KilnError("RUNTIME_MISSING", "emulators cannot be put before programs here", {
        hint: "Install proot: apt-get install proot",
      });
    mkdirSync(this.#directory);
    const files = [this.#proot, ...librariesOf(this.#proot)];
    for (const file of files) {
      const copy = join(this.#directory, basename(file));
      copyFileSync(file, copy);
      chmodSync(copy, 0o755);
    }
    writeFileSync(join(this.#directory, "init"), init, { mode: 0o755 });
    unpackLoader(this.#proot, join(this.#directory, "loader"));
    const proot = `${place}/${basename(this.#proot)}`;
    const loader = files.map((file) => basename(file)).find((name) => /^ld\b.*\.so/.test(name));
    return loader === undefined
      ? [proot]
      : [`${place}/${loader}`, "--library-path", place, "--argv0", "proot", proot];
  }
}

/** Writes what proot starts programs with, which lies in proot itself, and in a file of its own only while it runs. */
function unpackLoader(proot: string, path: string): void {
  const copy = 'cat /tmp/prooted-"$0"-* > "$1"';
  const script = 'exec "$0" -v -1 /bin/sh -c "$1" $$ "$2"';
  const { status, stderr } = spawnSync("/bin/sh", ["-c", script, proot, copy, path], {
    encoding: "utf8",
  });
  if (status !== 0)
    throw new KilnError("RUNTIME_MISSING", `${proot} does not work here: ${stderr.trim()}`, {
      hint: "Install proot of Debian 12 or newer: apt-get install proot",
    });
  chmodSync(path, 0o755);
}

/** The loader of a program and the libraries that it loads; none of a static one. */
function librariesOf(program: string): readonly string[] {
  const head = new Uint8Array(4096);
  const file = openSync(program, "r");
  try {
    if (!needsLoader(head.subarray(0, readSync(file, head)))) return [];
  } finally {
    closeSync(file);
  }
  // As ldd(1) asks.
  const { stdout } = spawnSync(program, [], {
    env: { LD_TRACE_LOADED_OBJECTS: "1" },
    encoding: "utf8",
  });
  return [...stdout.matchAll(/(?:^|=>)\s*(\/\S+) \(0x/gm)].flatMap(([, path]) => path ?? []);
}
