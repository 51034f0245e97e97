// Starting a step whose first process tells how its program ended; what that leaves running ends with it.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { KilnError, throwIfAborted } from "../../../base/index.ts";
import { exitCodeOf, statusDescriptor } from "../programs/status-program.ts";
import type { StartCommand } from "../supervise.ts";
import { killSignal } from "./proot-command.ts";

/** How a command is ended. */
export interface Ending {
  /** What ends it at once, with all that it runs. */
  readonly signal: NodeJS.Signals;
  /** Asks it to end once its program has; it is ended at once where it has not obeyed in a moment. */
  readonly ask?: (pid: number) => void;
}

/** Milliseconds for what is asked to end. */
const patience = 2000;

/** The exit code is that of the step's own program. */
export function startTold({ signal, ask }: Ending): StartCommand {
  return async (command, stdio, env, call, started) => {
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: [...stdio, "pipe"], env, cwd: "/" });
    if (child.pid !== undefined) started?.(child.pid);
    const kill = () => void child.kill(signal);
    call.signal.addEventListener("abort", kill, { once: true });
    let status: number | undefined;
    let late: NodeJS.Timeout | undefined;
    const told = child.stdio[statusDescriptor] as Readable;
    told.on("data", (data: Uint8Array) => {
      if (data.length < 4) return;
      status = new DataView(data.buffer, data.byteOffset, 4).getInt32(0, true);
      if (ask === undefined || child.pid === undefined) return kill();
      ask(child.pid);
      late = setTimeout(kill, patience);
    });
    try {
      const own = await new Promise<number>((resolve, reject) => {
        child.once("error", (cause) =>
          reject(
            new KilnError("RUNTIME_FAILED", `${program} could not be started: ${cause.message}`, {
              cause,
            }),
          ),
        );
        child.once("close", (code) => resolve(code ?? 137));
      });
      throwIfAborted(call);
      return status === undefined ? own || 1 : exitCodeOf(status);
    } finally {
      clearTimeout(late);
      call.signal.removeEventListener("abort", kill);
    }
  };
}

/** Sends proot's own signal to the last of a line of processes, each of which has started the next: proot in a container. */
export function askInnermost(pid: number): void {
  let last = pid;
  for (let depth = 0; depth < longestLine; depth++) {
    const child = firstChild(last);
    // What proot itself has started is for proot to end.
    if (child === undefined || isTraced(child)) break;
    last = child;
  }
  try {
    process.kill(last, killSignal);
  } catch {
    // It has ended by itself.
  }
}

const longestLine = 8;

function firstChild(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ");
    return child ? Number(child) : undefined;
  } catch {
    return undefined;
  }
}

function isTraced(pid: number): boolean {
  try {
    return !/^TracerPid:\s*0$/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return true;
  }
}
