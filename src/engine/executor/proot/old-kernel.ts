// A system call filter for what proot runs: the kernel looks old, as proot knows no newer calls, and memory stays readable.
import { endianness } from "node:os";

const little = endianness() === "LE";
const instructionSize = 8;

const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_NOT_LESS = 0x35;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const NO_SUCH_CALL = 0x00050000 | 38;
/** The call answers 0 and does nothing. */
const DONE = 0x00050000;

/** From here on numbers are the same on every architecture; the first came with Linux 5.1. */
const firstNewCall = 424;
/** x32's numbers, and others that say more than a number. */
const otherSchemes = 0x40000000;

/** Calls with paths before that, by AUDIT_ARCH_*: name_to_handle_at, open_by_handle_at, renameat2, execveat, statx. */
const calls: Readonly<Record<number, readonly number[]>> = {
  3221225534: [303, 304, 316, 322, 332],
  1073741827: [341, 342, 353, 358, 383],
  3221225655: [264, 265, 276, 281, 291],
  1073741864: [370, 371, 382, 387, 397],
};

/** prctl by AUDIT_ARCH_*, and where the low half of a call's first argument lies. */
const prctl: Readonly<Record<string, number>> = {
  3221225534: 157,
  1073741827: 172,
  3221225655: 167,
  1073741864: 172,
};
const firstArgument = 16 + (little ? 0 : 4);
const PR_SET_DUMPABLE = 4;

type Instruction = readonly [code: number, yes: number, no: number, value: number];

/**
 * The program as of seccomp(2). Programs fall back to what kernels before 5.1 had. A program that closes its memory to others,
 * as sudo does, closes it to proot, which then finds no path in it: it is told that it was done.
 */
export function oldKernelFilter(): Uint8Array {
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, 0],
    [JUMP_NOT_LESS, 0, 2, firstNewCall],
    [JUMP_NOT_LESS, 1, 0, otherSchemes],
    [RETURN, 0, 0, NO_SUCH_CALL],
  ];
  for (const [architecture, numbers] of Object.entries(calls)) {
    const block: Instruction[] = numbers.flatMap((number): Instruction[] => [
      [JUMP_EQUAL, 0, 1, number],
      [RETURN, 0, 0, NO_SUCH_CALL],
    ]);
    block.push(
      [JUMP_EQUAL, 0, 3, prctl[architecture] ?? otherSchemes],
      [LOAD_WORD, 0, 0, firstArgument],
      [JUMP_EQUAL, 0, 1, PR_SET_DUMPABLE],
      [RETURN, 0, 0, DONE],
    );
    program.push([LOAD_WORD, 0, 0, 4], [JUMP_EQUAL, 0, block.length + 2, Number(architecture)]);
    program.push([LOAD_WORD, 0, 0, 0], ...block, [RETURN, 0, 0, ALLOW]);
  }
  program.push([RETURN, 0, 0, ALLOW]);
  return encode(program);
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructionSize * program.length);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, yes, no, value]] of program.entries()) {
    view.setUint16(index * instructionSize, code, little);
    view.setUint8(index * instructionSize + 2, yes);
    view.setUint8(index * instructionSize + 3, no);
    view.setUint32(index * instructionSize + 4, value, little);
  }
  return bytes;
}

/** struct sock_fprog followed by the filter, as it lies at `address` of a 64-bit program. */
export function filterData(address: number): Uint8Array {
  const filter = oldKernelFilter();
  const header = 16;
  const data = new Uint8Array(header + filter.length);
  const view = new DataView(data.buffer);
  view.setUint16(0, filter.length / instructionSize, little);
  view.setBigUint64(8, BigInt(address + header), little);
  data.set(filter, header);
  return data;
}
