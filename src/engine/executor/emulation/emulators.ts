// Emulators that are installed on this machine, and how the kernel is told which programs they run.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { digestOf, KilnError } from "../../../base/index.ts";
import { needsLoader, readElf } from "../elf.ts";

/** A qemu-user that works without any file of the machine. */
export interface Emulator {
  /** GOARCH name of the programs that it runs. */
  readonly architecture: string;
  /** Absolute. */
  readonly path: string;
}

/** What tells a processor's programs: qemu's name for it, and the ELF header. */
interface Processor {
  readonly qemu: string;
  readonly bits: 32 | 64;
  readonly order: "little" | "big";
  /** e_machine. */
  readonly machine: number;
}

/** By GOARCH name. */
export const processors: Readonly<Record<string, Processor>> = {
  amd64: { qemu: "x86_64", bits: 64, order: "little", machine: 62 },
  "386": { qemu: "i386", bits: 32, order: "little", machine: 3 },
  arm64: { qemu: "aarch64", bits: 64, order: "little", machine: 183 },
  arm: { qemu: "arm", bits: 32, order: "little", machine: 40 },
  riscv64: { qemu: "riscv64", bits: 64, order: "little", machine: 243 },
  ppc64le: { qemu: "ppc64le", bits: 64, order: "little", machine: 21 },
  ppc64: { qemu: "ppc64", bits: 64, order: "big", machine: 21 },
  s390x: { qemu: "s390x", bits: 64, order: "big", machine: 22 },
  loong64: { qemu: "loongarch64", bits: 64, order: "little", machine: 258 },
  mips64le: { qemu: "mips64el", bits: 64, order: "little", machine: 8 },
  mips64: { qemu: "mips64", bits: 64, order: "big", machine: 8 },
};

/**
 * The emulators in `search`, a list of directories as in PATH or of `ARCHITECTURE=FILE`, first ones first. One that needs
 * libraries is left out: containers do not have them. `ARCHITECTURE=FILE@sha256:HEX` pins one: throws `CHECKSUM_MISMATCH`
 * where the file is another.
 */
export function findEmulators(search: string): readonly Emulator[] {
  const found = new Map<string, Emulator>();
  for (const emulator of listEmulators(search)) {
    if (!found.has(emulator.architecture)) found.set(emulator.architecture, emulator);
  }
  return [...found.values()];
}

/** As `findEmulators`, with the further versions of each architecture: those that a crashed step is tried with again. */
export function listEmulators(search: string): readonly Emulator[] {
  const all = partsOf(search).flatMap((part) => emulatorOf(part) ?? emulatorsIn(part));
  const paths = all.map(({ architecture, path }) => `${architecture}=${path}`);
  return all.filter((_, at) => paths.indexOf(paths[at] ?? "") === at);
}

/**
 * The line that registers an emulator (Linux, Documentation/admin-guide/binfmt-misc.rst). P keeps the name a program was
 * called by, O hands it over open, C gives it the rights of set-id files, F opens the emulator now, so that containers
 * need not have it.
 */
export function registration({ architecture, path }: Emulator): string | undefined {
  const processor = processors[architecture];
  if (processor === undefined) return undefined;
  const { qemu, bits, order, machine } = processor;
  const little = order === "little";
  const half = (value: number) => (little ? [value & 255, value >> 8] : [value >> 8, value & 255]);
  const identification = [0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, little ? 1 : 2, 1];
  const magic = [...identification, 0, ...Array<number>(8).fill(0), ...half(2), ...half(machine)];
  // Of any operating system's version of the ABI; position independent (3) or not (2).
  const type = little ? [0xfe, 0xff] : [0xff, 0xfe];
  const mask = [...Array<number>(7).fill(255), 0, ...Array<number>(8).fill(255), ...type, 255, 255];
  return `:qemu-${qemu}:M::${escaped(magic)}:${escaped(mask)}:${path}:POCF`;
}

/** The list's parts; the colon of a digest parts nothing. */
function partsOf(search: string): readonly string[] {
  return search.split(/(?<!@sha256):/).filter(Boolean);
}

/** What `ARCHITECTURE=FILE` names; undefined for other words. */
function emulatorOf(part: string): readonly Emulator[] | undefined {
  const [, architecture, path, digest] =
    /^([a-z0-9]+)=(.+?)(?:@(sha256:[0-9a-f]{64}))?$/.exec(part) ?? [];
  if (architecture === undefined || path === undefined) return undefined;
  if (digest !== undefined) checkPin(path, digest);
  return isUsable(path) ? [{ architecture, path }] : [];
}

function emulatorsIn(directory: string): readonly Emulator[] {
  if (!isAbsolute(directory)) return [];
  const names = namesIn(directory);
  return Object.entries(processors).flatMap(([architecture, { qemu }]) => {
    const name = [`qemu-${qemu}-static`, `qemu-${qemu}`, `buildkit-qemu-${qemu}`].find(
      (candidate) => names.has(candidate) && isUsable(join(directory, candidate)),
    );
    return name === undefined ? [] : [{ architecture, path: join(directory, name) }];
  });
}

function checkPin(file: string, digest: string): void {
  let actual: string;
  try {
    actual = digestOf(readFileSync(file));
  } catch (error) {
    throw new KilnError("EMULATOR_MISSING", `the pinned emulator ${file} cannot be read`, {
      cause: error,
    });
  }
  if (actual === digest) return;
  throw new KilnError("CHECKSUM_MISMATCH", `the emulator ${file} is not the one that is pinned`, {
    hint: "Install that version, or pin this one in KILN_QEMU or kiln.toml.",
    details: { file, wanted: digest, found: actual },
  });
}

function escaped(bytes: readonly number[]): string {
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

function namesIn(directory: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(directory).filter((name) => name.includes("qemu-")));
  } catch {
    return new Set();
  }
}

function isUsable(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    const header = new Uint8Array(4096);
    const file = openSync(path, "r");
    try {
      const head = header.subarray(0, readSync(file, header));
      return readElf(head) !== undefined && !needsLoader(head);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}
