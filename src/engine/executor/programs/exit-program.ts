// The smallest programs there are: each ends with exit code 0 at once. Running one tells whether its kind runs.
import { machineCode, type StaticProgram, staticProgram } from "./static-program.ts";

const programs: Readonly<Record<string, StaticProgram>> = {
  // xor ebx, ebx; mov eax, 1; int 0x80
  "386": { bits: 32, machine: 3, flags: 0, code: machineCode("31db b801000000 cd80") },
  // mov r0, #0; mov r7, #1; svc 0 (EABI 5)
  arm: {
    bits: 32,
    machine: 40,
    flags: 0x05000000,
    code: machineCode("0000a0e3 0170a0e3 000000ef"),
  },
};

/** An executable for a GOARCH name; undefined for those that have none here. */
export function exitProgram(architecture: string): Uint8Array | undefined {
  const program = programs[architecture];
  return program === undefined ? undefined : staticProgram(program);
}
