// Undoing compression for ADD: in this process where Node can, by the programs that distributions have for it, or without them.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { type Bytes, type Call, isAbortError, KilnError } from "../../../base/index.ts";
import {
  bunzip2,
  type Compression,
  decompress,
  type ExpansionLimits,
  hasZstd,
  unxz,
} from "../../../formats/archive/index.ts";

interface Program {
  readonly name: string;
  readonly args: readonly string[];
  /** Debian's package that has it. */
  readonly package: string;
}

/** Memory is bounded as far as the programs can: a hostile archive may ask for gigabytes. */
const programs: Readonly<Partial<Record<Compression, Program>>> = {
  xz: { name: "xz", args: ["-dc", "-q", "-T1", "--memlimit=1GiB"], package: "xz-utils" },
  bzip2: { name: "bzip2", args: ["-dc", "-q"], package: "bzip2" },
  zstd: { name: "zstd", args: ["-dc", "-q", "--memory=128MB"], package: "zstd" },
};

/** Honest archives stay below: zeros packed by xz come near 1:7000. */
const defaultLimits: ExpansionLimits = {
  bytes: 256 * 1024 ** 3,
  ratio: 10_000,
  slack: 1024 ** 3,
};

/**
 * The contents of `data`, which is compressed as `compression`; `what` names it in errors. Throws `ARCHIVE_INVALID` for
 * damage and bombs, `PROGRAM_MISSING` and `UNSUPPORTED` where a program is needed that is not installed.
 */
export function expand(
  data: Bytes,
  compression: Compression,
  what: string,
  call: Call,
  limits: ExpansionLimits = defaultLimits,
): Bytes {
  const program = programs[compression];
  if (program === undefined) return decompress(data, what);
  // By Node, or the system's library: the program is for machines that have neither.
  if (compression === "zstd" && hasZstd()) return decompress(data, what, limits);
  const inside = decoders[compression];
  if (inside && !isInstalled(program)) return within(data, inside, { what, limits }, call);
  return throughProgram(data, program, { what, limits }, call);
}

/** For machines without the programs, which are faster and read more. */
const decoders: Readonly<Partial<Record<Compression, (data: Bytes, what: string) => Bytes>>> = {
  xz: unxz,
  bzip2: bunzip2,
};

function isInstalled({ name }: Program): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function* within(
  data: Bytes,
  decoder: (data: Bytes, what: string) => Bytes,
  expanded: Expanded,
  call: Call,
): Bytes {
  const feed: Feed = { taken: 0, failure: undefined };
  const fed = (async function* () {
    for await (const chunk of data) {
      call.signal.throwIfAborted();
      feed.taken += chunk.length;
      yield chunk;
    }
  })();
  for await (const chunk of counted(decoder(fed, expanded.what), feed, expanded)) {
    call.signal.throwIfAborted();
    yield chunk;
    // Decoders work on this thread.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Expanded {
  readonly what: string;
  readonly limits: ExpansionLimits;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Bytes that went in, and what went wrong while they did. */
interface Feed {
  taken: number;
  failure: unknown;
}

async function* throughProgram(
  data: Bytes,
  program: Program,
  { what, limits }: Expanded,
  call: Call,
): Bytes {
  call.signal.throwIfAborted();
  const child = spawn(program.name, program.args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
    signal: call.signal,
    killSignal: "SIGKILL",
  });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-1000);
  });
  const ended = outcome(child);
  const feed: Feed = { taken: 0, failure: undefined };
  const feeding = pour(data, child, feed);
  try {
    yield* counted(child.stdout, feed, { what, limits });
    await feeding;
    if (feed.failure !== undefined) throw feed.failure;
    const end = await ended;
    if (end instanceof Error) throw end;
    if (end !== 0) throw damaged(what, program, words);
  } catch (error) {
    call.signal.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw missing(program, what);
    throw isAbortError(error) ? call.signal.reason : error;
  } finally {
    child.kill("SIGKILL");
    child.stdout.destroy();
    await Promise.allSettled([ended, feeding]);
  }
}

/** The exit status, or the error that kept it from starting or stopped it. Never rejects. */
function outcome(child: Child): Promise<number | null | Error> {
  return new Promise((resolve) => {
    child.once("error", resolve);
    child.once("close", (status) => resolve(status));
  });
}

async function* counted(output: Bytes, feed: Feed, { what, limits }: Expanded): Bytes {
  let given = 0;
  for await (const chunk of output) {
    given += chunk.length;
    if (given > limits.bytes || given > limits.slack + limits.ratio * feed.taken) {
      throw new KilnError(
        "ARCHIVE_INVALID",
        `${what} expands to far more than its size: ${given} bytes from ${feed.taken}`,
      );
    }
    yield chunk;
  }
}

/** No faster than the program takes it; the program may stop listening at any time. */
async function pour(data: Bytes, { stdin }: Child, feed: Feed): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    stdin.once("close", () => resolve());
  });
  stdin.on("error", () => {});
  try {
    for await (const chunk of data) {
      if (stdin.destroyed) return;
      feed.taken += chunk.length;
      if (stdin.write(chunk)) continue;
      const drained = new Promise<void>((resolve) => {
        stdin.once("drain", () => resolve());
      });
      await Promise.race([drained, closed]);
    }
  } catch (error) {
    feed.failure = error;
  } finally {
    stdin.end();
  }
}

function damaged(what: string, { name }: Program, words: string): KilnError {
  const said = words.trim().split("\n").at(-1) ?? "";
  return new KilnError("ARCHIVE_INVALID", `${what} is damaged: ${said || `${name} failed`}`);
}

function missing({ name, package: from }: Program, what: string): KilnError {
  return new KilnError("PROGRAM_MISSING", `${what} cannot be unpacked: ${name} is not installed`, {
    hint: `Install it (apt-get install ${from}), or use gzip.`,
  });
}
