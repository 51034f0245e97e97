// The first process of an emulated step: starts the program, waits for it, ends as it ended.
import { fragments } from "./fragments.ts";
import { machineCode, type StaticProgram, staticProgram } from "./static-program.ts";

/**
 * Why there is one: when an emulated program crashes, qemu sends the signal to itself and waits to die of it. But the
 * kernel gives the first process of a namespace no signals that it does not handle, so it would wait for ever. Started
 * as `INIT PATH ARGUMENT...` it runs PATH with the arguments, the first being its name, reaps what it inherits, and ends
 * with the program's exit code, with 128 + n after signal n, with 126 when PATH cannot be run.
 */
const programs: Readonly<Record<string, StaticProgram>> = {
  amd64: {
    ...fragments.amd64.kind,
    code: machineCode(
      [
        // rbx: number of arguments, r12: arguments, r13: environment
        "488b1c24 4c8d642408 4d8d6cdc08",
        // fork; 0 is the child, which goes on below
        "b839000000 0f05 85c0 743e 89c5",
        fragments.amd64.waitForChild,
        fragments.amd64.exitAsChild,
        // child: execve(arguments[1], &arguments[2], environment), or 126
        "498b7c2408 498d742410 4c89ea b83b000000 0f05 bf7e000000 ebde",
      ].join(" "),
    ),
  },
  arm64: {
    ...fragments.arm64.kind,
    code: machineCode(
      [
        // x19: number of arguments, x20: arguments, x21: environment
        "f30340f9 f4230091 950e138b b5220091",
        // clone(SIGCHLD, 0, 0, 0, 0); 0 is the child, which goes on below
        "200280d2 010080d2 020080d2 030080d2 040080d2 881b80d2 010000d4 40020034 f603002a",
        fragments.arm64.waitForChild,
        fragments.arm64.exitAsChild,
        // child: execve(arguments[1], &arguments[2], environment), or 126
        "800640f9 81420091 e20315aa a81b80d2 010000d4 c00f8052 f8ffff17",
      ].join(" "),
    ),
  },
};

/** Where the program lies in a step; /dev is the step's own. */
export const initPath: string = "/dev/.kiln-init";

/** The executable for a machine (GOARCH name); undefined for those that have none here. */
export function initProgram(machine: string): Uint8Array | undefined {
  const program = programs[machine];
  return program === undefined ? undefined : staticProgram(program);
}
