// Starting a step by our own leash: without a copy of this process, which takes longer the larger it is.
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { KilnError, throwIfAborted } from "../../base/index.ts";
import { leashDescriptor } from "./programs/leash-program.ts";
import { exitCodeOf } from "./programs/status-program.ts";
import { spawnCalls } from "./spawn-calls.ts";
import type { StartCommand } from "./supervise.ts";

/**
 * Node forks: the kernel copies the tables of all its memory, and Node waits until the copy has become another program,
 * which took 2 ms of processor time, and on a busy machine more than 10 ms in which no other step was served.
 *
 * For commands whose first program is the leash, or becomes it: that alone holds on to the pipe whose end tells that it has
 * ended. The numbers in `stdio` are larger than 2.
 */
export const startLeashed: StartCommand = async (command, stdio, environment, call, started) => {
  const { pipe, spawn, wait } = spawnCalls();
  const { read, write } = pipe();
  const ended = new Promise<void>((resolve) => {
    const end = new Socket({ fd: read, readable: true, writable: false });
    end.once("close", resolve).resume();
  });
  let pid: number;
  try {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    pid = spawn(command, variables, [...filesOf(stdio), [leashDescriptor, write]]);
  } catch (cause) {
    throw new KilnError(
      "RUNTIME_FAILED",
      `${command[0]} could not be started: ${(cause as Error).message}`,
      { cause },
    );
  } finally {
    closeSync(write);
  }
  let running = true;
  const kill = () => {
    if (running) process.kill(pid, "SIGKILL");
  };
  started?.(pid);
  call.signal.addEventListener("abort", kill, { once: true });
  await ended;
  running = false;
  call.signal.removeEventListener("abort", kill);
  const code = exitCodeOf(wait(pid));
  throwIfAborted(call);
  return code;
};

/** Node has marked its own three to be closed on exec, so they are named where they are to be passed on. */
function filesOf(stdio: Parameters<StartCommand>[1]): [number, number | "/dev/null"][] {
  return [...stdio.entries()].map(([own, from]) => {
    if (from === "inherit") return [own, own];
    return [own, from === "ignore" ? "/dev/null" : from];
  });
}
