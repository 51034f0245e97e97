// Starting one runtime process, passing on what it says, and making sure that nothing of it is left.
import { spawn } from "node:child_process";
import { closeSync, fchownSync, constants as fsConstants, openSync, unlinkSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import type { StepCall } from "../../api/index.ts";
import { KilnError, throwIfAborted } from "../../base/index.ts";
import { canChown, loadSyscalls } from "../../storage/snapshot/index.ts";
import { attach } from "./attach.ts";
import type { ProcessIo } from "./executor.ts";

export interface SuperviseOptions {
  /** `inherit` attaches the process to our own terminal or streams, `output` to all but the input. */
  readonly stdio: "log" | "inherit" | "output";
  /** In the place of `stdio`. */
  readonly io?: ProcessIo | undefined;
  /** A directory of the caller's own, for names that live for a moment. */
  readonly directory: string;
  /** Who has to be able to open /dev/stdout. */
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly now: () => Date;
  /** Of the command itself; empty where absent. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Starts the command and resolves with its exit code, in the place of `spawn`. */
  readonly start?: StartCommand;
}

export type StartCommand = (
  command: readonly string[],
  stdio: ("ignore" | "inherit" | number)[],
  environment: Readonly<Record<string, string>>,
  call: StepCall,
  /** Told the command's process. */
  started?: (pid: number) => void,
) => Promise<number>;

/**
 * Runs `command` to its end and resolves with its exit code (128 + n for signal n). Its output becomes log events as it
 * comes, in the pieces it comes in. Aborting kills it at once and rejects with the signal's reason once it is gone.
 */
export async function supervise(
  command: readonly string[],
  options: SuperviseOptions,
  call: StepCall,
): Promise<number> {
  throwIfAborted(call);
  const { start = startCommand, environment = {}, io } = options;
  if (io) return await attach(command, { ...options, io, start, openPipe }, call);
  if (options.stdio !== "log") {
    const input = options.stdio === "inherit" ? "inherit" : "ignore";
    return await start(command, [input, "inherit", "inherit"], environment, call);
  }
  const pipes = ([1, 2] as const).map((stream) => ({ stream, ...openPipe(options) }));
  const ends = pipes.map(({ stream, output }) => {
    output.on("data", (data: Uint8Array) =>
      call.emit({ type: "log", step: call.step, stream, data, at: options.now() }),
    );
    return new Promise<void>((resolve) => output.once("close", resolve));
  });
  const inputs = pipes.map(({ input }) => input);
  const exitCode = start(command, ["ignore", ...inputs], environment, call);
  for (const input of inputs) closeSync(input);
  // What was written last may still be in the pipes when the process is gone.
  const [code] = await Promise.all([exitCode, ...ends]);
  return code;
}

async function startCommand(
  command: readonly string[],
  stdio: ("ignore" | "inherit" | number)[],
  env: Readonly<Record<string, string>>,
  call: StepCall,
  started?: (pid: number) => void,
): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio, env });
  if (child.pid !== undefined) started?.(child.pid);
  const kill = () => void child.kill("SIGKILL");
  call.signal.addEventListener("abort", kill, { once: true });
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(
          new KilnError("RUNTIME_FAILED", `${program} could not be started: ${cause.message}`, {
            cause,
          }),
        ),
      );
      child.once("exit", (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
    throwIfAborted(call);
    return exitCode;
  } finally {
    call.signal.removeEventListener("abort", kill);
  }
}

const S_IFIFO = 0o010000;

/** A true pipe: what Node makes for children are sockets, which programs cannot open as /dev/stdout. */
function openPipe({ directory, owner }: Pick<SuperviseOptions, "directory" | "owner">): {
  readonly input: number;
  readonly output: Socket;
} {
  const path = join(directory, "pipe");
  loadSyscalls().mknod(path, S_IFIFO | 0o600, 0, 0);
  try {
    const fd = openSync(path, fsConstants.O_RDONLY | fsConstants.O_NONBLOCK);
    const output = new Socket({ fd, readable: true, writable: false });
    const input = openSync(path, fsConstants.O_WRONLY);
    if (canChown) fchownSync(input, owner.uid, owner.gid);
    return { input, output };
  } finally {
    unlinkSync(path);
  }
}
