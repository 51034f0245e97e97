// Emulators that the host has registered with the kernel (binfmt_misc), for all of its containers.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { type Call, isAbortError } from "../../../base/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";
import { readElf } from "../elf.ts";
import type { Emulation } from "./emulation.ts";
import type { Emulator } from "./emulators.ts";
import type { PrivateHandlers } from "./private-handlers.ts";

/** Where the kernel shows the registered handlers when it is mounted. */
export const binfmtDirectory = "/proc/sys/fs/binfmt_misc";

/** One registered handler of ELF programs. */
export interface Handler {
  /** Name of its registration, such as `qemu-aarch64`. */
  readonly name: string;
  readonly enabled: boolean;
  readonly interpreter: string;
  readonly flags: string;
  /** GOARCH name of the programs it takes. */
  readonly architecture: string;
}

/** What a machine's binfmt_misc holds. */
export interface HandlerTable {
  /** False where there is no binfmt_misc to look at. */
  readonly mounted: boolean;
  readonly enabled: boolean;
  readonly handlers: readonly Handler[];
}

/** Reads the table at `directory`, a mounted binfmt_misc. Entries that are not about ELF programs are left out. */
export function readHandlerTable(directory: string): HandlerTable {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    names = [];
  }
  if (!names.includes("status")) return { mounted: false, enabled: false, handlers: [] };
  const enabled = readFileSync(join(directory, "status"), "utf8").trim() === "enabled";
  const handlers = names
    .filter((name) => name !== "status" && name !== "register")
    .flatMap((name) => parseHandler(name, readEntry(join(directory, name))) ?? []);
  return { mounted: true, enabled, handlers };
}

function readEntry(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Unregistered between listing and reading.
    return "";
  }
}

/** One entry as the kernel prints it (binfmt_misc.c, entry_status); undefined when it is not about ELF programs. */
export function parseHandler(name: string, text: string): Handler | undefined {
  const lines = text.split("\n");
  const field = (key: string) =>
    lines
      .find((line) => line.startsWith(key))
      ?.slice(key.length)
      .trim();
  const magic = field("magic ");
  if (magic === undefined || !/^(?:[0-9a-f]{2})+$/.test(magic)) return undefined;
  const header = readElf(
    Uint8Array.from(magic.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  );
  const interpreter = field("interpreter ");
  if (header === undefined || interpreter === undefined) return undefined;
  return {
    name,
    enabled: lines[0] === "enabled",
    interpreter,
    flags: field("flags: ") ?? "",
    architecture: header.architecture,
  };
}

/** True for a handler whose interpreter the kernel keeps open (`F`): containers do not have the host's files. */
export function worksInContainers(handler: Handler): boolean {
  return handler.enabled && handler.flags.includes("F");
}

/** One way to run things for every handler that works in containers and is not about `native` architectures. */
export function hostHandlerEmulations(
  table: HandlerTable,
  native: ReadonlySet<string>,
): readonly Emulation[] {
  if (!table.enabled) return [];
  return table.handlers
    .filter((handler) => worksInContainers(handler) && !native.has(handler.architecture))
    .filter(({ architecture }) => emulated.includes(architecture))
    .toSorted((a, b) => emulated.indexOf(a.architecture) - emulated.indexOf(b.architecture))
    .map((handler) => ({
      kind: "host-handler" as const,
      platforms: emulatedPlatforms(handler.architecture),
      describe: (call: Call) => emulatorVersion(handler, call),
    }));
}

/** One way to run things for every emulator that was registered for this build. */
export function privateEmulations(
  { emulators, enter }: PrivateHandlers,
  native: ReadonlySet<string>,
): readonly Emulation[] {
  return inOrder(emulators, native).map((emulator) => ({
    ...emulationBy(emulator, "private-handler"),
    enter,
  }));
}

/** One for every emulator that proot puts before programs. */
export function prefixEmulations(
  emulators: readonly Emulator[],
  native: ReadonlySet<string>,
  kind: "prefix" | "ptrace",
): readonly Emulation[] {
  return inOrder(emulators, native).map((one) => ({
    ...emulationBy(one, kind),
    prefix: one.path,
  }));
}

function inOrder(emulators: readonly Emulator[], native: ReadonlySet<string>): readonly Emulator[] {
  return emulators
    .filter(({ architecture }) => !native.has(architecture) && emulated.includes(architecture))
    .toSorted((a, b) => emulated.indexOf(a.architecture) - emulated.indexOf(b.architecture));
}

function emulationBy({ architecture, path }: Emulator, kind: Emulation["kind"]): Emulation {
  return {
    kind,
    platforms: emulatedPlatforms(architecture),
    describe: (call: Call) => emulatorVersion({ name: basename(path), interpreter: path }, call),
  };
}

/** Architectures that images are made for, in the order that builders list them. Handlers know many more. */
const emulated: readonly string[] =
  "amd64 arm64 riscv64 ppc64 ppc64le s390x 386 mips64le mips64 loong64 arm".split(" ");

/** The levels that qemu's default processor of an architecture has. */
function emulatedPlatforms(architecture: string): readonly Platform[] {
  const variants: Readonly<Record<string, readonly (string | undefined)[]>> = {
    amd64: [undefined, "v2"],
    arm: ["v7", "v6", "v5"],
  };
  return (variants[architecture] ?? [undefined]).map((variant) => ({
    os: "linux",
    architecture,
    ...(variant === undefined ? {} : { variant }),
  }));
}

/** `qemu-aarch64 7.2.22`; the handler's name where the program does not say its version. */
export async function emulatorVersion(
  handler: Pick<Handler, "name" | "interpreter">,
  call: Call,
): Promise<string> {
  try {
    // Registered under a name that changes what its arguments mean; the program behind the link takes options.
    const program = realpathSync(handler.interpreter);
    const run = await promisify(execFile)(program, ["--version"], {
      signal: call.signal,
      timeout: 5000,
    });
    const version = /version (\S+)/.exec(run.stdout)?.[1];
    return [basename(program).replace(/-static$/, ""), version].filter(Boolean).join(" ");
  } catch (error) {
    if (isAbortError(error) && call.signal.aborted) throw error;
    return handler.name;
  }
}
