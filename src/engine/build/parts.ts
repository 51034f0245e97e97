// What a build is made of, and what its request is granted.
import type { BuildEvent, BuildRequest } from "../../api/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { Snapshotter } from "../../storage/snapshot/index.ts";
import type { RemoteCaches } from "../cache/index.ts";
import type { CdiDevices, Executor } from "../executor/index.ts";
import type { StepHistory } from "../explain/index.ts";
import type { Exporter } from "../exporter/index.ts";
import type { Frontend } from "../frontend/index.ts";
import type { ContainerParts, OpDefinition, OpResult, Sources } from "../ops/index.ts";
import type { BuildProxy } from "../proxy/index.ts";
import type { Solver } from "../solver/index.ts";
import type { ImageSource } from "../source/index.ts";
import type { SharedPins } from "./attest-result.ts";
import { type Entitlement, type Grants, grantEntitlements } from "./entitlements.ts";

/** What a build is made of; lent by the engine. */
export interface BuildParts {
  readonly solver: Solver<OpDefinition, OpResult>;
  readonly frontends: ReadonlyMap<string, Frontend>;
  readonly exporters: ReadonlyMap<string, Exporter>;
  readonly images: ImageSource;
  readonly snapshotter: Snapshotter;
  readonly sources: Sources;
  readonly executor: () => Promise<Executor>;
  /** The executor where something has needed it before; asking opens none, which takes longer than a build of cached steps. */
  readonly runningExecutor: () => Promise<Executor> | undefined;
  readonly platforms: readonly Platform[];
  readonly now: () => Date;
  /** What requests may ask for beyond the sandbox. */
  readonly entitlements: readonly Entitlement[];
  /** Of the machine. */
  readonly devices: Pick<CdiDevices, "isAutoAllowed">;
  /** For processes beside steps. */
  readonly containers: ContainerParts;
  readonly history: StepHistory;
  /** Caches from elsewhere. */
  readonly caches: RemoteCaches;
  /** What sources stood for when builds asked. */
  readonly pins: SharedPins;
  /** Builds are different people's. */
  readonly manyClients?: boolean;
  /** Steps of all builds are kept behind proxies. */
  readonly proxyNetwork?: boolean;
  /** Where whole logs of builds are kept. */
  readonly logs: string;
}

/** The parts of one build that runs. */
export interface RunningParts extends BuildParts {
  /** What its processes are kept behind. */
  readonly proxy?: BuildProxy;
  readonly emit: (event: BuildEvent) => void;
  /** Blots out secrets that the build has seen. */
  readonly masked: (text: string) => string;
}

/** Throws where the request asks for what is not allowed here. */
export function grantedTo(request: BuildRequest, { entitlements, devices }: BuildParts): Grants {
  return grantEntitlements(request.entitlements ?? [], entitlements, (name) =>
    devices.isAutoAllowed(name),
  );
}
