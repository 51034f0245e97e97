// The system call filter of this process's steps, and who answers what it asks.
import { readFileSync } from "node:fs";
import { log } from "../../base/index.ts";
import type { SeccompSetting } from "./oci-spec.ts";
import { OwnerRecorder } from "./owners/owner-recorder.ts";
import { compiledFilter } from "./seccomp-filter.ts";

const debug = log("executor");

export interface StepFilterOptions {
  readonly runtime: "crun" | "runc";
  /** GOARCH name. */
  readonly machine: string;
  /** On disk, where compiled filters are kept. */
  readonly stateDir: string;
  /** The executor's own, gone with it. */
  readonly directory: string;
  readonly owners: "many" | "one";
}

/** Made when the first step runs. Owns the recorder of owners where there is one owner only. */
export class StepFilter implements Disposable {
  readonly setting: SeccompSetting;
  readonly #options: StepFilterOptions;
  readonly #recorder: OwnerRecorder | undefined;
  #pretending: SeccompSetting | undefined;

  constructor(options: StepFilterOptions) {
    this.#options = options;
    const { machine, stateDir, owners, runtime } = options;
    // The kernel shows its state of filtering only when it can filter.
    if (!readFileSync("/proc/self/status", "utf8").includes("\nSeccomp:")) {
      this.setting = { type: "none" };
      return;
    }
    if (runtime !== "crun") {
      this.setting = { type: "rules" };
      return;
    }
    const recorder = owners === "one" ? openRecorder(options.directory) : undefined;
    const asking = recorder && compiledFilter(machine, stateDir, { owners, recorded: true });
    if (recorder !== undefined && asking !== undefined) {
      this.#recorder = recorder;
      this.setting = { type: "compiled", program: asking, receiver: recorder.path };
      return;
    }
    recorder?.[Symbol.dispose]();
    this.setting = compiledSetting(options);
  }

  /** The same without anybody asked: owners that steps give are forgotten where there is one only. */
  get pretending(): SeccompSetting {
    if (this.#recorder === undefined) return this.setting;
    this.#pretending ??= compiledSetting(this.#options);
    return this.#pretending;
  }

  /** To be held while a step runs. */
  lend(): AsyncDisposable | undefined {
    return this.#recorder?.lend();
  }

  [Symbol.dispose](): void {
    this.#recorder?.[Symbol.dispose]();
  }
}

function compiledSetting({ machine, stateDir, owners }: StepFilterOptions): SeccompSetting {
  const program = compiledFilter(machine, stateDir, { owners });
  return program === undefined ? { type: "rules" } : { type: "compiled", program };
}

function openRecorder(directory: string): OwnerRecorder | undefined {
  try {
    return new OwnerRecorder(directory);
  } catch (error) {
    debug.debug("owners are not noted", { error: String(error) });
    return undefined;
  }
}
