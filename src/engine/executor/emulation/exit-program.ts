// The smallest programs there are: each ends with exit code 0 at once. Running one tells whether its kind runs.

const loadAddress = 0x10000;

/** Machine code of `exit(0)`. */
const code: Readonly<
  Record<
    string,
    { readonly machine: number; readonly flags: number; readonly bytes: readonly number[] }
  >
> = {
  // xor ebx, ebx; mov eax, 1; int 0x80
  "386": { machine: 3, flags: 0, bytes: [0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80] },
  // mov r0, #0; mov r7, #1; svc 0 (EABI 5)
  arm: {
    machine: 40,
    flags: 0x05000000,
    bytes: [0x00, 0x00, 0xa0, 0xe3, 0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0x00, 0xef],
  },
};

/** A static 32-bit ELF executable for a GOARCH name; undefined for those that have none here. */
export function exitProgram(architecture: string): Uint8Array | undefined {
  const program = code[architecture];
  if (program === undefined) return undefined;
  const [headerSize, segmentSize] = [52, 32];
  const start = headerSize + segmentSize;
  const size = start + program.bytes.length;
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  const put32 = (at: number, ...values: readonly number[]) => {
    for (const [index, value] of values.entries()) view.setUint32(at + 4 * index, value, true);
  };
  const put16 = (at: number, ...values: readonly number[]) => {
    for (const [index, value] of values.entries()) view.setUint16(at + 2 * index, value, true);
  };
  // Identification: 32-bit, little-endian, version 1. Type: executable.
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  put16(16, 2, program.machine);
  put32(20, 1, loadAddress + start, headerSize, 0, program.flags);
  put16(40, headerSize, segmentSize, 1);
  // One loaded segment: the whole file, readable and executable.
  put32(headerSize, 1, 0, loadAddress, loadAddress, size, size, 5, 0x1000);
  file.set(program.bytes, start);
  return file;
}
