// Tiny programs for the machine itself, written as machine code: nothing has to be compiled or shipped.

/** What an executable consists of besides its code (ELF specification, e_machine, e_flags). */
export interface StaticProgram {
  readonly bits: 32 | 64;
  readonly machine: number;
  readonly flags: number;
  readonly code: Uint8Array;
}

const loadAddress = 0x10000;
const headerSizes = { 32: [52, 32], 64: [64, 56] } as const;

/** Where in memory `code` begins, by the width of words. */
export const codeAddress: Readonly<Record<32 | 64, number>> = {
  32: loadAddress + 52 + 32,
  64: loadAddress + 64 + 56,
};

/** A static little-endian ELF executable: one segment that holds the whole file, started at the first byte of `code`. */
export function staticProgram({ bits, machine, flags, code }: StaticProgram): Uint8Array {
  const [headerSize, segmentSize] = headerSizes[bits];
  const start = headerSize + segmentSize;
  const file = new Uint8Array(start + code.length);
  const view = new DataView(file.buffer);
  let at = 0;
  const put16 = (value: number) => {
    view.setUint16(at, value, true);
    at += 2;
  };
  const put32 = (value: number) => {
    view.setUint32(at, value, true);
    at += 4;
  };
  /** An address or offset, as wide as the processor's words. */
  const putWord = (value: number) => {
    put32(value);
    if (bits === 64) put32(0);
  };
  file.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
  at = 16;
  for (const value of [2, machine]) put16(value);
  put32(1);
  for (const value of [loadAddress + start, headerSize, 0]) putWord(value);
  put32(flags);
  for (const value of [headerSize, segmentSize, 1, 0, 0, 0]) put16(value);
  const readAndExecute = 5;
  put32(1);
  if (bits === 64) put32(readAndExecute);
  for (const value of [0, loadAddress, loadAddress, file.length, file.length]) putWord(value);
  if (bits === 32) put32(readAndExecute);
  putWord(0x1000);
  file.set(code, start);
  return file;
}

/** Machine code written as hexadecimal digits; white space is for the reader. */
export function machineCode(hex: string): Uint8Array {
  return Uint8Array.from(hex.replace(/\s+/g, "").match(/../g) ?? [], (pair) =>
    Number.parseInt(pair, 16),
  );
}
