// The first process of a step under proot: tells how the program ended, which proot itself does not tell reliably.

import { filterData } from "../proot/old-kernel.ts";
import { fragments, hex8, hex32 } from "./fragments.ts";
import { codeAddress, machineCode, type StaticProgram, staticProgram } from "./static-program.ts";

/** Where the answer is written: four bytes, a status as of wait(2). */
export const statusDescriptor = 3;

interface FilteredProgram extends Omit<StaticProgram, "code"> {
  /** Closes what was inherited by accident, gives up what only proot needs, and installs the filter that lies at `address`. */
  readonly install: (address: number) => string;
  /** `skipped`: bytes of the environment that the program does not get. */
  readonly code: (skipped: number) => string;
}

/**
 * Started as `PROGRAM PATH ARGUMENT...` it runs PATH with the arguments, the first being its name, reaps what it inherits,
 * and when the program has ended writes its status to descriptor 3, which the program itself does not get.
 */
const programs: Readonly<Record<string, FilteredProgram>> = {
  amd64: {
    ...fragments.amd64.kind,
    // close_range(4, -1, 0); prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    // seccomp(SECCOMP_SET_MODE_FILTER, 0, ADDRESS)
    install: (address) =>
      `b8b4010000 bf04000000 beffffffff 31d2 0f05
       b89d000000 bf18000000 be13000000 31d2 4531d2 4531c0 0f05
       b89d000000 bf26000000 be01000000 31d2 4531d2 4531c0 0f05
       b83d010000 bf01000000 31f6 ba${hex32(address)} 0f05`,
    code: (skipped) =>
      [
        // rbx: number of arguments, r12: arguments, r13: environment
        `488b1c24 4c8d642408 4d8d6cdc${hex8(8 + skipped)}`,
        // fork; 0 is the child, which goes on below
        "b839000000 0f05 85c0 7452 89c5",
        fragments.amd64.waitForChild,
        // write(3, &status, 4)
        "b801000000 bf03000000 4889e6 ba04000000 0f05",
        fragments.amd64.exitAsChild,
        // child: close(3); execve(arguments[1], &arguments[2], environment), or 126
        "b803000000 bf03000000 0f05",
        "498b7c2408 498d742410 4c89ea b83b000000 0f05 bf7e000000 ebd2",
      ].join(" "),
  },
  arm64: {
    ...fragments.arm64.kind,
    // The same; the address in two halves.
    install: (address) =>
      `800080d2 01008092 020080d2 883680d2 010000d4
       000380d2 610280d2 020080d2 030080d2 040080d2 e81480d2 010000d4
       c00480d2 210080d2 020080d2 030080d2 040080d2 e81480d2 010000d4
       200080d2 010080d2 ${hex32(0xd2800002 + ((address & 0xffff) << 5))}
       ${hex32(0xf2a00002 + ((address >>> 16) << 5))} a82280d2 010000d4`,
    code: (skipped) =>
      [
        // x19: number of arguments, x20: arguments, x21: environment
        `f30340f9 f4230091 950e138b ${hex32(0x910002b5 + ((8 + skipped) << 10))}`,
        // clone(SIGCHLD, 0, 0, 0, 0); 0 is the child, which goes on below
        "200280d2 010080d2 020080d2 030080d2 040080d2 881b80d2 010000d4 e0020034 f603002a",
        fragments.arm64.waitForChild,
        // write(3, &status, 4)
        "600080d2 e1030091 820080d2 080880d2 010000d4",
        fragments.arm64.exitAsChild,
        // child: close(3); execve(arguments[1], &arguments[2], environment), or 126
        "600080d2 280780d2 010000d4",
        "800640f9 81420091 e20315aa a81b80d2 010000d4 c00f8052 f5ffff17",
      ].join(" "),
  },
};

/**
 * The executable for a machine (GOARCH name); undefined for those that have none here. The first `hidden` variables of the
 * environment (at most 14) are not the program's.
 */
export function statusProgram(machine: string, hidden = 0): Uint8Array | undefined {
  const program = programs[machine];
  if (program === undefined) return undefined;
  const { install, code: after, ...rest } = program;
  const code = after(pointerSize * hidden);
  // The length does not depend on the address.
  const length = machineCode(install(0) + code).length;
  const address = codeAddress[rest.bits] + Math.ceil(length / 8) * 8;
  const text = machineCode(install(address) + code);
  const data = filterData(address);
  const whole = new Uint8Array(address - codeAddress[rest.bits] + data.length);
  whole.set(text);
  whole.set(data, address - codeAddress[rest.bits]);
  return staticProgram({ ...rest, code: whole });
}

const pointerSize = 8;

/** The exit code that a status stands for: 128 + n for signal n. */
export function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
