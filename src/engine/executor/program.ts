// Which program a step is about to run, and whether its processor is one that runs here.
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { posix } from "node:path";
import { KilnError, quoteGo } from "../../base/index.ts";
import { formatPlatform, type Platform } from "../../formats/oci/index.ts";
import { headerSize, readElf, readInterpreter } from "./elf.ts";
import { pinInRoot } from "./pin.ts";

/** Scripts whose interpreter is a script and so on: as deep as Linux follows them. */
const maxInterpreters = 4;

/** What `args[0]` stands for in a root file system. */
export type Program =
  | { readonly type: "missing"; readonly name: string }
  /** A file or directory that may not be executed. */
  | { readonly type: "denied"; readonly path: string }
  /** Neither a program nor a script with a `#!` line. */
  | { readonly type: "unknown"; readonly path: string }
  | {
      readonly type: "elf";
      readonly path: string;
      /** What the processor is given: the file itself, or the interpreter of a script. */
      readonly binary: string;
      readonly architecture: string;
    };

export interface ProgramQuery {
  readonly name: string;
  /** The value of PATH. */
  readonly search: string;
  readonly cwd: string;
}

/**
 * Finds a program as execvp(3) does, without a look outside of `root`, and reads what it was built for; of a script, what
 * its interpreter was. A missing interpreter is reported as missing, like a missing program.
 */
export function findProgram(root: string, { name, search, cwd }: ProgramQuery): Program {
  const places = name.includes("/")
    ? [posix.resolve("/", cwd, name)]
    : search.split(":").map((directory) => posix.resolve("/", cwd, directory, name));
  let found = firstExecutable(root, places);
  if (found === undefined) {
    const [place = ""] = places;
    return name.includes("/") && exists(root, place)
      ? { type: "denied", path: place }
      : { type: "missing", name };
  }
  const { path } = found;
  for (let depth = 0; depth < maxInterpreters; depth++) {
    const elf = readElf(found.head);
    if (elf !== undefined)
      return { type: "elf", path, binary: found.path, architecture: elf.architecture };
    const interpreter = readInterpreter(found.head);
    if (interpreter === undefined) break;
    const next = firstExecutable(root, [posix.resolve("/", cwd, interpreter)]);
    if (next === undefined) return { type: "missing", name: interpreter };
    found = next;
  }
  return { type: "unknown", path };
}

/** Why a program could not be started, in the words of Go's os/exec; undefined when nothing is wrong with it. */
export function explainProgram(
  program: Program,
): { readonly reason: string; readonly exitCode: number } | undefined {
  switch (program.type) {
    case "missing": {
      const why = program.name.includes("/")
        ? "no such file or directory"
        : "executable file not found in $PATH";
      return { reason: `exec: ${quoteGo(program.name)}: ${why}`, exitCode: 127 };
    }
    case "denied":
      return { reason: `exec: ${quoteGo(program.path)}: permission denied`, exitCode: 126 };
    case "unknown":
      return {
        reason: `exec: ${quoteGo(program.path)}: exec format error (no program, and no script with a "#!" line)`,
        exitCode: 126,
      };
    case "elf":
      return undefined;
  }
}

/** Throws `PROGRAM_FOREIGN` for a program that was built for a processor that does not run here. */
export function checkProgram(
  program: Program,
  platform: Platform,
  runnable: ReadonlySet<string>,
): void {
  if (program.type !== "elf" || runnable.has(program.architecture)) return;
  // Both run wherever the first does, if the kernel was built so; it will tell.
  if (program.architecture === "x32" && runnable.has("amd64")) return;
  const wanted = formatPlatform(platform);
  throw new KilnError(
    "PROGRAM_FOREIGN",
    `exec format error: ${program.binary} is built for ${program.architecture}, the step runs as ${wanted}, and this machine cannot run ${program.architecture} programs`,
    {
      hint: `The image is not what its platform says: check --platform in FROM, the base image, and the files that COPY or ADD brought to ${program.binary}.`,
      details: { program: program.binary, wanted, found: program.architecture },
    },
  );
}

interface Found {
  readonly path: string;
  readonly head: Uint8Array;
}

function firstExecutable(root: string, places: readonly string[]): Found | undefined {
  for (const path of places) {
    const head = readHead(root, path);
    if (head !== undefined) return { path, head };
  }
  return undefined;
}

function exists(root: string, path: string): boolean {
  using pin = pinInRoot(root, path);
  return pin !== undefined;
}

/** The first bytes of an executable regular file; undefined when there is none. */
function readHead(root: string, path: string): Uint8Array | undefined {
  using pin = pinInRoot(root, path);
  if (pin === undefined) return undefined;
  const stat = statSync(pin.path);
  if (!stat.isFile() || (stat.mode & 0o111) === 0) return undefined;
  const file = openSync(pin.path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const head = new Uint8Array(headerSize);
    return head.subarray(0, readSync(file, head, 0, headerSize, 0));
  } finally {
    closeSync(file);
  }
}
