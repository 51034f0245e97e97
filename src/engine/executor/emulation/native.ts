// What this machine's processor runs by itself.
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryName } from "../../../base/index.ts";
import { hostPlatform, type Platform } from "../../../formats/oci/index.ts";
import { exitProgram } from "../programs/exit-program.ts";
import type { Emulation } from "./emulation.ts";

/** What is known of the machine, found out by `readMachine`. */
export interface Machine {
  /** As Node names it: `process.arch`. */
  readonly nodeArchitecture: string;
  /** The text of /proc/cpuinfo. */
  readonly cpuinfo: string;
  /** Whether the kernel also runs this processor's 32-bit programs (386, arm). */
  readonly runs32Bit: boolean;
}

/** Highest levels first, then what their processors run too. */
export function nativePlatforms(machine: Machine): readonly Platform[] {
  const host = hostPlatform(machine.nodeArchitecture);
  const variant = (architecture: string, name: string): Platform => ({
    os: "linux",
    architecture,
    variant: name,
  });
  switch (host.architecture) {
    case "amd64": {
      const levels = Array.from({ length: amd64Level(machine.cpuinfo) - 1 }, (_, at) =>
        variant("amd64", `v${at + 2}`),
      );
      return [
        host,
        ...levels,
        ...(machine.runs32Bit ? [{ os: "linux", architecture: "386" }] : []),
      ];
    }
    case "arm64":
      return [host, ...(machine.runs32Bit ? [variant("arm", "v7"), variant("arm", "v6")] : [])];
    case "arm":
      return armLevel(machine.cpuinfo) >= 7
        ? [variant("arm", "v7"), variant("arm", "v6")]
        : [variant("arm", "v6")];
    default:
      return [host];
  }
}

/** The native way to run things. */
export function nativeEmulation(machine: Machine): Emulation {
  return { kind: "native", platforms: nativePlatforms(machine), describe: async () => undefined };
}

/** Looks at this machine. `directory` is where a test program may be put and run. */
export function readMachine(directory: string): Machine {
  const nodeArchitecture = process.arch;
  const narrow = { x64: "386", arm64: "arm" }[nodeArchitecture as string];
  return {
    nodeArchitecture,
    cpuinfo: readFileSync("/proc/cpuinfo", "utf8"),
    runs32Bit: narrow !== undefined && runsHere(narrow, directory),
  };
}

// Flags as /proc/cpuinfo spells them, by level of the x86-64 psABI.
const amd64Flags: readonly string[] = [
  "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
  "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
  "avx512bw avx512cd avx512dq avx512f avx512vl",
];

function amd64Level(cpuinfo: string): number {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  const missing = amd64Flags.findIndex((level) =>
    level.split(" ").some((flag) => !flags.has(flag)),
  );
  return missing === -1 ? amd64Flags.length + 1 : missing + 1;
}

function armLevel(cpuinfo: string): number {
  return Number(/^CPU architecture\s*:\s*(\d+)/m.exec(cpuinfo)?.[1] ?? 6);
}

/** Whether the kernel starts a program of `architecture` that does nothing but end with 0. */
function runsHere(architecture: string, directory: string): boolean {
  const program = exitProgram(architecture);
  if (program === undefined) return false;
  const path = join(directory, temporaryName());
  try {
    writeFileSync(path, program);
    chmodSync(path, 0o700);
    return spawnSync(path, { stdio: "ignore", timeout: 5000 }).status === 0;
  } finally {
    rmSync(path, { force: true });
  }
}
