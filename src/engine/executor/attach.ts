// A process whose input and output are somebody else's: pipes or a terminal, signals, a size that changes.
import {
  closeSync,
  fchownSync,
  constants as fsConstants,
  openSync,
  readFileSync,
  unlinkSync,
} from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { basename, join } from "node:path";
import type { StepCall } from "../../api/index.ts";
import { delay, uncancelled } from "../../base/index.ts";
import { canChown, loadSyscalls } from "../../storage/snapshot/index.ts";
import type { ProcessIo } from "./executor.ts";
import type { StartCommand, SuperviseOptions } from "./supervise.ts";
import { openTerminal, resizeTerminalOf } from "./terminal.ts";

type Attached = Pick<SuperviseOptions, "directory" | "owner" | "environment"> & {
  readonly io: ProcessIo;
  readonly start: StartCommand;
  readonly openPipe: (options: Pick<SuperviseOptions, "directory" | "owner">) => {
    readonly input: number;
    readonly output: Socket;
  };
};

/** Runs the command to its end, attached to `io`, and resolves with its exit code. */
export async function attach(
  command: readonly string[],
  options: Attached,
  call: StepCall,
): Promise<number> {
  return options.io.terminal
    ? await onTerminal(command, options, call)
    : await onPipes(command, options, call);
}

async function onTerminal(
  command: readonly string[],
  { io, start, environment = {} }: Attached,
  call: StepCall,
): Promise<number> {
  const { rows = 24, columns = 80 } = io.terminal ?? {};
  using terminal = openTerminal(rows, columns);
  const { slave } = terminal;
  let ended = false;
  let newest: TerminalSize | undefined;
  const exit = start(command, [slave, slave, slave], environment, call, (pid) => {
    io.started?.({
      signal: (name) => void (ended || sendSignal(pid, name)),
      resize(size) {
        if (ended) return;
        terminal.resize(size.rows, size.columns);
        send(runtimeOf(pid) ?? pid, "SIGWINCH");
        newest = size;
        void resizeInside(pid, () => (ended || newest !== size ? undefined : size));
      },
    });
  });
  closeSync(slave);
  const spoken = (async () => {
    for await (const data of terminal.output) await io.output(1, data);
  })();
  spoken.catch(() => {});
  void typed(io.input, (data) => terminal.write(data)).catch(() => {});
  try {
    const code = await exit;
    await spoken;
    return code;
  } finally {
    ended = true;
  }
}

type TerminalSize = Readonly<Record<"rows" | "columns", number>>;

/** Milliseconds in which a container's first process begins, and between looks for it. */
const startPatience = 5000;
const startRest = 20;

/**
 * Runtimes put a terminal of their own between, and not all of them pass its size on: that of the container's first process
 * is told by itself, as soon as there is one, unless `wanted` says no more.
 */
async function resizeInside(pid: number, wanted: () => TerminalSize | undefined): Promise<void> {
  for (let waited = 0; waited < startPatience; waited += startRest) {
    const size = wanted();
    if (!size) return;
    const runtime = runtimeOf(pid);
    const first = runtime === undefined ? undefined : childrenOf(runtime)[0];
    // Before it becomes the step's program it is the runtime still, on the terminal outside.
    if (first !== undefined && !commandLine(first).includes("--bundle"))
      return resizeTerminalOf(first, size.rows, size.columns);
    await delay(startRest, uncancelled);
  }
}

async function onPipes(
  command: readonly string[],
  { io, start, openPipe, environment = {}, ...options }: Attached,
  call: StepCall,
): Promise<number> {
  const stdin = io.input ? openInput(options) : undefined;
  const pipes = ([1, 2] as const).map((stream) => ({ stream, ...openPipe(options) }));
  const ends = pipes.map(async ({ stream, output }) => {
    for await (const data of output) await io.output(stream, data as Uint8Array);
  });
  const fds: ("ignore" | number)[] = [stdin?.read ?? "ignore", ...pipes.map(({ input }) => input)];
  let ended = false;
  const exit = start(command, fds, environment, call, (pid) => {
    io.started?.({ signal: (name) => void (ended || sendSignal(pid, name)), resize() {} });
  });
  for (const fd of fds) if (typeof fd === "number") closeSync(fd);
  if (stdin && io.input) void feed(stdin.write, io.input);
  try {
    const [code] = await Promise.all([exit, ...ends]);
    return code;
  } finally {
    ended = true;
    stdin?.write.destroy();
  }
}

/** A process may leave its input unread; then the rest is of no interest. */
async function feed(to: Socket, input: AsyncIterable<Uint8Array>): Promise<void> {
  to.on("error", () => {});
  await typed(
    input,
    (data) =>
      new Promise<void>((resolve) => {
        if (to.destroyed || to.write(data)) return resolve();
        to.once("drain", resolve);
        to.once("close", resolve);
      }),
  ).catch(() => {});
  to.end();
}

async function typed(
  input: AsyncIterable<Uint8Array> | undefined,
  write: (data: Uint8Array) => Promise<void>,
): Promise<void> {
  for await (const data of input ?? []) await write(data);
}

const S_IFIFO = 0o010000;

/** A true pipe towards a process, for the same reason as that from it. */
function openInput({ directory, owner }: Pick<SuperviseOptions, "directory" | "owner">): {
  readonly read: number;
  readonly write: Socket;
} {
  const path = join(directory, "input");
  loadSyscalls().mknod(path, S_IFIFO | 0o600, 0, 0);
  try {
    // Held open at both ends for a moment, so that neither end has to be waited for.
    const both = openSync(path, fsConstants.O_RDWR | fsConstants.O_NONBLOCK);
    const read = openSync(path, fsConstants.O_RDONLY);
    const fd = openSync(path, fsConstants.O_WRONLY | fsConstants.O_NONBLOCK);
    closeSync(both);
    if (canChown) fchownSync(read, owner.uid, owner.gid);
    return { read, write: new Socket({ fd, readable: false, writable: true }) };
  } finally {
    unlinkSync(path);
  }
}

/** To the container's own first process; to the program that stands for it where that cannot be found. */
function sendSignal(pid: number, name: string): void {
  const runtime = runtimeOf(pid);
  const first = runtime === undefined ? undefined : childrenOf(runtime)[0];
  send(first ?? runtime ?? pid, name);
}

function send(pid: number, name: string): void {
  const number = (constants.signals as Readonly<Record<string, number>>)[name];
  if (number === undefined) return;
  try {
    process.kill(pid, number);
  } catch {
    // It has ended.
  }
}

/** The container runtime among a process and those below it, by the words that it was started with. */
function runtimeOf(pid: number): number | undefined {
  for (let at: number | undefined = pid, depth = 0; at !== undefined && depth < 6; depth++) {
    const words = commandLine(at);
    const starter = words.includes("--fork") || basename(words[0] ?? "") === "leash";
    if (words.includes("--bundle") && !starter) return at;
    at = childrenOf(at)[0];
  }
  return undefined;
}

function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
