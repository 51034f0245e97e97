// What would be done: the answer to a request that asks for a plan instead of a build.
import type { Digest } from "../base/index.ts";

/**
 * How the programs of a stage get to run. `native`: by this machine, for a target like it; `cross`: by this machine, for
 * another target; `shared`: once, for several targets; `emulated`; `impossible`: nothing here runs them; `files`: there is
 * none to run.
 */
export type StageWay = "native" | "cross" | "shared" | "emulated" | "impossible" | "files";

/** One step of a stage. */
export interface PlannedStep {
  readonly step: Digest;
  readonly name: string;
  /** The op: `exec` runs programs, the others move files. */
  readonly kind: string;
  /** A result is in the cache, or is not needed. */
  readonly cached: boolean;
}

/** One stage for one target, or for several that share all of its steps. */
export interface PlannedStage {
  /** Empty where the file has one stage that has no name. */
  readonly name: string;
  readonly targets: readonly string[];
  /** What the stage's files and programs are of. */
  readonly platform: string;
  readonly way: StageWay;
  /** Name and version, where programs are emulated. */
  readonly emulator?: string;
  /** Why nothing here runs the programs, and what to do about it. */
  readonly problem?: { readonly message: string; readonly hint?: string };
  readonly steps: readonly PlannedStep[];
}

/** An image that is built on or copied from. */
export interface PlannedImage {
  readonly reference: string;
  /** What it is wanted for. */
  readonly platform: string;
  /** `missing`: an index without it, so the build would fail; `other`: a single image of another platform. */
  readonly state: "offered" | "missing" | "other";
  /** What there is instead, as a list, and the best of it. */
  readonly offered?: string;
  readonly nearest?: string;
}

export interface PlanReport {
  readonly buildPlatform: string;
  readonly targets: readonly string[];
  readonly stages: readonly PlannedStage[];
  readonly images: readonly PlannedImage[];
}
