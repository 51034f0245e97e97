// kiln doctor --fix: does what the findings advise and does no harm, after asking.
import { spawn } from "node:child_process";
import { KilnError } from "../../../base/index.ts";
import type { Finding } from "../../../engine/doctor/index.ts";
import type { RunWorld } from "../command.ts";

/** Commands that may be done, each once, in the order of the findings. */
export function fixesOf(findings: readonly Finding[], uid: number): readonly string[] {
  const commands = findings.flatMap(({ status, fix }) =>
    fix?.harmless && (status === "warning" || status === "missing") && (uid === 0 || !fix.root)
      ? fix.commands
      : [],
  );
  return [...new Set(commands)];
}

/** Asks about each command, unless `yes`, and does it. Resolves with how many were done. Throws `FIX_FAILED`. */
export async function applyFixes(
  commands: readonly string[],
  yes: boolean,
  world: RunWorld,
): Promise<number> {
  const { stderr, stdin } = world;
  if (!yes && !stdin.isTerminal) {
    throw new KilnError(
      "FLAG_INVALID",
      "--fix asks before it changes anything, and there is nobody to ask",
      {
        hint: "Add --yes to do it without asking.",
      },
    );
  }
  const answers = yes ? undefined : readLines(stdin);
  let done = 0;
  for (const command of commands) {
    stderr.write(`${stderr.style.bold(command)}${yes ? "\n" : "  Do this? [y/N] "}`);
    if (answers && !/^y(es)?$/i.test((await answers.next()).value?.trim() ?? "")) continue;
    await run(command, world);
    done++;
  }
  await answers?.return(undefined);
  return done;
}

async function* readLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}

/** The words of a finding's command hold no quotes and no variables. */
async function run(command: string, { env, call }: RunWorld): Promise<void> {
  const [program = "", ...args] = command.split(" ");
  const child = spawn(program, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
    signal: call.signal,
  });
  const status = await new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? signal ?? 1));
  }).catch((error: Error) => error.message);
  call.signal.throwIfAborted();
  if (status === 0) return;
  throw new KilnError("FIX_FAILED", `${command} did not succeed: ${status}`, {
    hint: "Nothing else was changed; run the command yourself to see more.",
  });
}
