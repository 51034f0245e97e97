// Drivers: how a builder's nodes are started, reached and removed, and what they say of themselves.
import type { BuilderRecord, NodeRecord } from "../store/index.ts";
import { dockerKind } from "./docker.ts";
import { dockerContainerKind } from "./docker-container.ts";
import type { Driver, DriverKind, DriverWorld } from "./driver.ts";
import { embeddedKind, embeddedRoot } from "./embedded.ts";
import { kubernetesKind } from "./kubernetes.ts";
import { invalidNode } from "./options.ts";
import { remoteKind } from "./remote.ts";

export type {
  Driver,
  DriverKind,
  DriverWorld,
  NodeStatus,
  RemoveOptions,
  Say,
} from "./driver.ts";
export { embeddedEndpoint, embeddedName, embeddedNode, embeddedRoot, listens } from "./embedded.ts";
export { type MultiOptions, multiBuilder } from "./multi.ts";
export type { JoinImages } from "./multi-build.ts";
export { type NodeOffer, nodesFor } from "./node-choice.ts";
export { askNode, askWorkers, type GcRule, type NodeDevice, type NodeInfo } from "./node-info.ts";
export type { MultiNode } from "./node-pool.ts";
export { connectRemote, type RemoteTls } from "./remote-address.ts";

const kinds: readonly DriverKind[] = [
  dockerKind,
  dockerContainerKind,
  kubernetesKind,
  remoteKind,
  embeddedKind,
];

/** Names of drivers that builders can be created with. */
export const creatableDrivers: readonly string[] = kinds
  .filter(({ creatable }) => creatable)
  .map(({ name }) => name)
  .sort();

/** Throws `BUILDER_INVALID` for a name that is no driver's. */
export function driverKind(name: string): DriverKind {
  const kind = kinds.find((one) => one.name === name);
  if (kind) return kind;
  throw invalidNode(
    `failed to find driver ${JSON.stringify(name)}`,
    `Drivers are ${creatableDrivers.join(", ")}.`,
  );
}

/** The driver's name as people know it: what is written down as `remote` may be the embedded one. */
export function driverName(record: Pick<BuilderRecord, "driver" | "nodes">): string {
  const [first] = record.nodes;
  return record.driver === "remote" && first && embeddedRoot(first.endpoint) !== undefined
    ? embeddedKind.name
    : record.driver;
}

/** The driver's name as it is written down, so that other tools can read it. */
export function recordedDriver(name: string): string {
  return name === embeddedKind.name ? "remote" : name;
}

/** One node of a builder under its driver. Throws `BUILDER_INVALID` when the node cannot be what it is said to be. */
export function openNode(
  record: Pick<BuilderRecord, "driver" | "nodes">,
  node: NodeRecord,
  world: DriverWorld,
): Driver {
  return driverKind(driverName(record)).open(node, world);
}
