// Which processor a program was built for, from the first bytes of its file.

/** As many bytes as `readElf` and `readInterpreter` look at; the kernel reads as many to choose how to run a file. */
export const headerSize = 256;

export interface ElfHeader {
  /** GOARCH name where there is one, otherwise `machine-<number>`. */
  readonly architecture: string;
}

const littleEndian = 1;
const bigEndian = 2;
const class64 = 2;
/** PT_INTERP */
const loaderSegment = 3;

/** Names by e_machine, 32-bit little, 32-bit big, 64-bit little, 64-bit big; empty where nobody builds it. */
const machines: Readonly<Record<number, readonly [string, string, string, string]>> = {
  3: ["386", "", "", ""],
  8: ["mipsle", "mips", "mips64le", "mips64"],
  20: ["", "ppc", "", ""],
  21: ["", "", "ppc64le", "ppc64"],
  22: ["", "s390", "", "s390x"],
  40: ["arm", "armbe", "", ""],
  62: ["x32", "", "amd64", ""],
  183: ["arm64ilp32", "", "arm64", "arm64be"],
  243: ["riscv32", "", "riscv64", ""],
  258: ["loong32", "", "loong64", ""],
};

/** Undefined when `head` is not the beginning of an ELF file. */
export function readElf(head: Uint8Array): ElfHeader | undefined {
  const [m0, m1, m2, m3, bits, order] = head;
  if (m0 !== 0x7f || m1 !== 0x45 || m2 !== 0x4c || m3 !== 0x46 || head.length < 20)
    return undefined;
  if (order !== littleEndian && order !== bigEndian) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const machine = view.getUint16(18, order === littleEndian);
  const column = (bits === class64 ? 2 : 0) + (order === bigEndian ? 1 : 0);
  return { architecture: machines[machine]?.[column] || `machine-${machine}` };
}

/** Whether the program asks for a loader and its libraries, by its program headers within `head`. */
export function needsLoader(head: Uint8Array): boolean {
  const wide = head[4] === class64;
  const little = head[5] === littleEndian;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const start = wide ? Number(view.getBigUint64(32, little)) : view.getUint32(28, little);
  const size = view.getUint16(wide ? 54 : 42, little);
  const count = view.getUint16(wide ? 56 : 44, little);
  for (let at = start; at < start + size * count && at + 4 <= head.length; at += size)
    if (view.getUint32(at, little) === loaderSegment) return true;
  return false;
}

const executable = 2;
const shared = 3;
/** Programs that the kernel runs for itself (e_machine EM_BPF): any processor has them. */
const anyMachine = "machine-247";

/**
 * What a program or library was built for, from at least its first 20 bytes; undefined for what is none: other files, and
 * objects that are yet to be linked.
 */
export function readProgramHead(head: Uint8Array): string | undefined {
  const elf = readElf(head);
  if (elf === undefined || elf.architecture === anyMachine) return undefined;
  const type = new DataView(head.buffer, head.byteOffset).getUint16(16, head[5] === littleEndian);
  return type === executable || type === shared ? elf.architecture : undefined;
}

/** The program named by a script's `#!` line; undefined when `head` is not the beginning of a script. */
export function readInterpreter(head: Uint8Array): string | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  const text = new TextDecoder("latin1").decode(head.subarray(2));
  const end = text.search(/[\n\0]/);
  const line = (end === -1 ? text : text.slice(0, end)).replace(/^[ \t]+/, "");
  const program = line.split(/[ \t]/, 1)[0];
  return program === undefined || program === "" ? undefined : program;
}
