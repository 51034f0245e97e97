// What an embedded builder can be told.
import type { ServeBridge } from "../../api/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { RegistryHostConfig } from "../../storage/registry/index.ts";
import type { SnapshotterKind } from "../../storage/snapshot/index.ts";
import type { Entitlement } from "../build/index.ts";
import type { CdiOptions, DnsSettings, NetworkMode } from "../executor/index.ts";
import type { Frontend } from "../frontend/index.ts";
import type { HistoryOptions } from "../history/index.ts";
import type { Standing } from "../isolation/index.ts";
import type { GcOptions } from "../retention/index.ts";

export interface EngineOptions {
  /** Absolute; all that the engine keeps lies below it. Several engines may share it, also in other processes. */
  readonly root: string;
  /** How registries are reached, by host; `docker.io` for the hub. */
  readonly hosts: Readonly<Record<string, RegistryHostConfig>>;
  readonly version: string;
  readonly now: () => Date;
  /** When to remove what without being asked; the reference's rules where absent. */
  readonly gc?: GcOptions;
  /** Steps that run at once, over all builds; by default four for each processor, and at least eight. */
  readonly jobs?: number;
  /** How layers are shown, instead of the best way that works here. */
  readonly snapshotter?: SnapshotterKind;
  /** How this process is kept apart from the machine; as root where absent. */
  readonly standing?: Standing;
  /** Emulators as in KILN_QEMU, which go after those that the variable names. */
  readonly emulators?: string;
  /** How long builds are remembered, and how many; the reference's limits where absent. */
  readonly history?: Pick<HistoryOptions, "maxAge" | "maxEntries" | "stepLogLimit">;
  /** Path or name of the container runtime, instead of the first that is found. */
  readonly runtime?: string;
  /** What steps with the default network get, and whom they ask for names; what works here where absent. */
  readonly network?: NetworkMode;
  readonly dns?: DnsSettings;
  /** What the engine says it builds, instead of what is found; the first is what is built where nobody names one. */
  readonly platforms?: readonly Platform[];
  /** Builds are different people's: what one brings from elsewhere is not looked into for another. */
  readonly manyClients?: boolean;
  /** Speaks with frontends in containers; without it none is run. */
  readonly serveBridge?: ServeBridge;
  /** Those that may be asked for; all where absent. */
  readonly frontends?: readonly Frontend["name"][];
  /** Repositories whose frontends may run in containers; all where absent. */
  readonly gatewaySources?: readonly string[];
  /** Steps of all builds reach servers through a proxy alone, whatever their requests say. */
  readonly proxyNetwork?: boolean;
  /** What requests may ask for beyond the sandbox; everything that there is, where absent. */
  readonly entitlements?: readonly Entitlement[];
  /** Where devices are described that steps may ask for. */
  readonly cdi?: CdiOptions;
}
