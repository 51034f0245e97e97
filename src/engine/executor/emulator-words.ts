// What qemu says when it, or a program that it runs, comes to a bad end; picked out of a step's output.
import type { BuildEvent, StepCall } from "../../api/index.ts";

/** The last thing of the kind that was said. */
export interface EmulatorWords {
  readonly line: string;
  /**
   * `emulator`: it gave up itself. `program`: a signal that the emulated program did not expect, which is the program's
   * fault or that of an instruction that was emulated wrongly.
   */
  readonly by: "emulator" | "program";
  /** Number of the signal, where one is named. */
  readonly signal?: number;
}

/** Of a line, what is looked at; qemu's are shorter. */
const longestLine = 1000;

const uncaught = /^qemu: uncaught target signal (\d{1,3}) \(/;

/** Messages of linux-user qemu, all versions; the program's name may be any that it was installed under. */
const givenUp: readonly RegExp[] = [
  /^qemu: (?:fatal|unhandled|Unable to find a guest_base)/i,
  /^(?:\S*\/)?qemu-[a-z0-9_]+(?:-static)?: (?:\S*\.(?:c|h|inc):\d+: |Unable to (?:find a guest_base|reserve))/,
  /^(?:\S*\/)?qemu-[a-z0-9_]+(?:-static)?: .*(?:[Aa]ssertion|mmap.*failed|Could not allocate)/,
  /^QEMU internal SIG[A-Z]+/,
  /^ERROR:\S*(?:accel|tcg|linux-user|target)\/\S*: (?:code should not be reached|assertion failed)/,
];

/** Undefined for a line that is not qemu's last word. */
export function readEmulatorLine(text: string): EmulatorWords | undefined {
  const line = text.slice(0, longestLine).trim();
  const [, number] = uncaught.exec(line) ?? [];
  if (number !== undefined) return { line, by: "program", signal: Number(number) };
  return givenUp.some((pattern) => pattern.test(line)) ? { line, by: "emulator" } : undefined;
}

/** A call that passes everything on, and remembers what qemu said last on standard error. */
export function listenForEmulator(call: StepCall): {
  readonly call: StepCall;
  words(): EmulatorWords | undefined;
} {
  const decoder = new TextDecoder();
  let rest = "";
  let heard: EmulatorWords | undefined;
  const hear = (line: string): void => {
    heard = readEmulatorLine(line) ?? heard;
  };
  const listen = (event: BuildEvent): void => {
    if (event.type !== "log" || event.stream !== 2) return;
    const lines = (rest + decoder.decode(event.data, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(0, longestLine);
    lines.forEach(hear);
  };
  const emit = (event: BuildEvent): void => {
    listen(event);
    call.emit(event);
  };
  return {
    call: { ...call, emit },
    words() {
      hear(rest);
      return heard;
    },
  };
}
