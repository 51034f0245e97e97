// Ways in which the programs of a platform get to run on this machine.
import type { Call } from "../../../base/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";

/**
 * The ladder for programs of other processors, best first: the processor itself; emulators that are registered for the
 * build alone; those that the machine has registered; `prefix`: a step's container in which proot puts one before every
 * program; `ptrace`: the same where there are no containers.
 */
export type EmulationKind = "native" | "private-handler" | "host-handler" | "prefix" | "ptrace";

/**
 * One way of running programs: by the processor itself, or by an emulator that the kernel starts for them. A way that
 * needs surroundings of its own (a private binfmt_misc in a user namespace) is one more implementation of this.
 */
export interface Emulation {
  readonly kind: EmulationKind;
  /** The emulator's path, where something other than the kernel puts it before programs. */
  readonly prefix?: string;
  /** Words of a command that gets the runtime to where this works, to be put before it. */
  readonly enter?: readonly string[];
  /** What it runs, best first. */
  readonly platforms: readonly Platform[];
  /** The emulator's name and version for messages, such as `qemu-aarch64 7.2.22`; undefined where nothing is emulated. */
  describe(call: Call): Promise<string | undefined>;
}

/** The first way that runs `platform`; undefined when there is none. */
export function findEmulation(
  ways: readonly Emulation[],
  platform: Platform,
): Emulation | undefined {
  return ways.find((way) => way.platforms.some((one) => covers(one, platform)));
}

/** GOARCH names of everything that runs by one of these ways. */
export function runnableArchitectures(ways: readonly Emulation[]): ReadonlySet<string> {
  return new Set(ways.flatMap((way) => way.platforms.map((one) => one.architecture)));
}

/** Whether programs for `wanted` run where those for `offered` do: the same but for a variant that is no higher. */
function covers(offered: Platform, wanted: Platform): boolean {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return false;
  // Which 64-bit arm levels a processor has is not known here; images hardly ever ask for one.
  if (wanted.architecture === "arm64") return true;
  return level(wanted) <= level(offered);
}

/** `v7` is 7, `v8.2` is 8.2; no variant is the least there is. Unknown words are above everything. */
function level({ variant }: Platform): number {
  if (variant === undefined || variant === "") return 0;
  const number = /^v?(\d+(?:\.\d+)?)$/.exec(variant)?.[1];
  return number === undefined ? Number.POSITIVE_INFINITY : Number(number);
}
