// How a step's bad end is told: in the reference's words, with what is likely behind it.
import { constants } from "node:os";
import { KilnError, quoteGo } from "../../base/index.ts";
import type { EmulatorWords } from "./emulator-words.ts";

/** What is known when a process has ended badly. */
export interface Ending {
  readonly args: readonly string[];
  readonly exitCode: number;
  /** Name and version of the emulator that ran the step, if one did. */
  readonly emulator?: string | undefined;
  /** What the emulator said at the end, if it said anything. */
  readonly emulatorWords?: EmulatorWords | undefined;
  /** Something was killed meanwhile: in the step, which has a limit, or anywhere on the machine. */
  readonly outOfMemory?: "limit" | "machine" | undefined;
  /** Why no program ran at all, such as `exec: "gss": executable file not found in $PATH`. */
  readonly reason?: string;
}

/** The `PROCESS_FAILED` error of a step; `EMULATOR_CRASHED` where that is what happened. */
export function processFailed(ending: Ending): KilnError {
  const { exitCode, emulator, reason } = ending;
  const signal = signalOf(exitCode);
  const crash = reason === undefined ? crashOf(ending, signal) : undefined;
  const starved = reason === undefined ? starvation(ending) : undefined;
  const how = reason ?? `exit code: ${exitCode}${starved === undefined ? "" : `: ${starved.how}`}`;
  const note = crash === undefined ? "" : `: ${crash.how}`;
  const hint = starved?.hint ?? crash?.hint ?? hintFor(exitCode, reason);
  return new KilnError(
    crash === undefined || starved !== undefined ? "PROCESS_FAILED" : "EMULATOR_CRASHED",
    `process ${quoteGo(ending.args.join(" "))} did not complete successfully: ${how}${note}`,
    {
      ...(hint === undefined ? {} : { hint }),
      details: {
        exitCode,
        ...(signal === undefined ? {} : { signal }),
        ...(crash === undefined ? {} : { emulator: emulator ?? "" }),
      },
    },
  );
}

/** What is known of a crash under emulation: by qemu's own words, which also tell of children, else by the signal. */
function crashOf(
  { emulator, emulatorWords: words }: Ending,
  signal: string | undefined,
): { readonly how: string; readonly hint: string } | undefined {
  if (emulator === undefined) return undefined;
  const remedy = `Install another version of qemu (KILN_QEMU=DIRECTORY says where it is), compile in a stage with FROM --platform=$BUILDPLATFORM, or build this platform on a machine that has its processor.`;
  if (words?.by === "emulator") {
    const hint = `The emulator failed, not your program. ${remedy}`;
    return { how: `the emulator ${emulator} crashed (${words.line})`, hint };
  }
  const number = words?.signal ?? (signal === undefined ? undefined : signalNumber(signal));
  const name = signalOf(128 + (number ?? 0));
  if (name === undefined || !crashes.has(name)) return undefined;
  // abort(3) is what programs do that find a mistake of their own.
  if (name === "SIGABRT" && words !== undefined) return undefined;
  return {
    how: `a program crashed under the emulator ${emulator} (${words?.line ?? name})`,
    hint: `Where the same program does not crash on its own processor, the emulator is at fault. ${remedy}`,
  };
}

function signalNumber(name: string): number | undefined {
  return Object.entries(constants.signals).find(([one]) => one === name)?.[1];
}

/** What is known of a lack of memory; on a machine's word alone, only for a process that was killed. */
function starvation({
  outOfMemory,
  exitCode,
}: Ending): { readonly how: string; readonly hint: string } | undefined {
  if (outOfMemory === "limit") {
    return {
      how: "killed for lack of memory, the step has reached its limit",
      hint: "Raise --memory, or let the step use less: fewer parallel jobs, smaller inputs.",
    };
  }
  if (outOfMemory !== "machine" || signalOf(exitCode) !== "SIGKILL") return undefined;
  return {
    how: "killed for lack of memory, the machine has none left",
    hint: "Give the machine more memory, or let fewer steps and jobs run at once.",
  };
}

/** The signals that emulators die of when they fail. */
const crashes: ReadonlySet<string> = new Set(["SIGSEGV", "SIGILL", "SIGABRT", "SIGBUS"]);

function hintFor(exitCode: number, reason: string | undefined): string | undefined {
  if (reason !== undefined)
    return "Check the spelling, and that an earlier step installs the program.";
  if (exitCode === 127)
    return "Exit code 127 means that a program was not found: check its spelling, and that an earlier step installs it.";
  if (exitCode === 126)
    return "Exit code 126 means that a file was found but could not be run: check its permissions and its first line.";
  if (exitCode === 137)
    return "Exit code 137 means that the process was killed (SIGKILL), mostly for want of memory.";
  return undefined;
}

/** The signal that an exit code of 128 + n stands for, by the convention of shells and runtimes. */
export function signalOf(exitCode: number): string | undefined {
  if (exitCode <= 128 || exitCode > 128 + 64) return undefined;
  return Object.entries(constants.signals).find(([, number]) => number === exitCode - 128)?.[0];
}
