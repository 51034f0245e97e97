// The builder that `kiln create` leaves behind: a new one, or an old one with a node added, changed or taken away.
import type { Call } from "../../../base/index.ts";
import { KilnError } from "../../../base/index.ts";
import { samePlatform } from "../../../formats/oci/index.ts";
import { contextKey } from "../../../remote/docker/index.ts";
import {
  driverKind,
  driverName,
  embeddedEndpoint,
  openNode,
  recordedDriver,
} from "../../../remote/driver/index.ts";
import type { BuilderRecord, NodeRecord } from "../../../remote/store/index.ts";
import type { CreateRequest } from "./create-flags.ts";
import type { KnownBuilders } from "./known-builders.ts";

export interface ChangedBuilder {
  readonly record: BuilderRecord;
  /** A node that was there before has other settings now. */
  readonly changed: boolean;
}

/** Throws `BUILDER_INVALID`, in the reference's words. */
export async function changedBuilder(
  name: string,
  request: CreateRequest,
  known: KnownBuilders,
  call: Call,
): Promise<ChangedBuilder> {
  const before = known.store.read(name);
  checkChange(name, request, before);
  const driver = request.driver ?? (before ? driverName(before) : "embedded");
  const kind = driverKind(driver);
  if (!kind.creatable)
    throw invalid(`additional instances of driver ${JSON.stringify(driver)} cannot be created`);
  const nodes = before?.nodes ?? [];
  const node = newNode(name, driver, request, nodes, known);
  const others = nodes
    .filter((one) => one.name !== node.name)
    .map((one) => ({
      ...one,
      platforms: one.platforms.filter(
        (platform) => !node.platforms.some((taken) => samePlatform(taken, platform)),
      ),
    }));
  const twin = others.find((one) => one.endpoint === node.endpoint && driver !== "kubernetes");
  if (twin) throw invalid(`invalid duplicate endpoint ${node.endpoint}`);
  const at = nodes.findIndex((one) => one.name === node.name);
  const all = at === -1 ? [...others, node] : [...others.slice(0, at), node, ...others.slice(at)];
  const record: BuilderRecord = {
    name: before?.name ?? name,
    driver: recordedDriver(driver),
    nodes: all,
    dynamic: driver === "kubernetes",
  };
  await checkNode(record, node, known, call);
  return { record, changed: at !== -1 };
}

function checkChange(
  name: string,
  request: CreateRequest,
  before: BuilderRecord | undefined,
): void {
  if (!before) {
    if (request.append)
      throw new KilnError(
        "BUILDER_NOT_FOUND",
        `failed to find instance ${JSON.stringify(name)} for append`,
      );
    return;
  }
  if (!request.append && request.node === undefined) {
    throw invalid(
      `existing instance for ${JSON.stringify(name)} but no append mode, specify the node name to make changes for existing instances`,
      `Remove it first: kiln rm ${name}`,
    );
  }
  const driver = driverName(before);
  if (request.driver !== undefined && request.driver !== driver)
    throw invalid(
      `existing instance for ${JSON.stringify(name)} but has mismatched driver ${JSON.stringify(driver)}`,
    );
}

/** Opening a node checks its options; an engine that is to run it must answer. */
async function checkNode(
  record: BuilderRecord,
  node: NodeRecord,
  known: KnownBuilders,
  call: Call,
): Promise<void> {
  try {
    const driver = openNode(record, node, known.drivers);
    if (record.driver === "docker-container") await driver.status(call);
  } catch (error) {
    if (!(error instanceof KilnError)) throw error;
    throw new KilnError(
      error.code,
      `failed to initialize builder ${record.name} (${node.name}): ${error.message}`,
      {
        cause: error.cause,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      },
    );
  }
}

function newNode(
  builder: string,
  driver: string,
  request: CreateRequest,
  nodes: readonly NodeRecord[],
  known: KnownBuilders,
): NodeRecord {
  const before =
    request.node === undefined ? undefined : nodes.find(({ name }) => name === request.node);
  const endpoint = endpointOf(driver, request.endpoint, before, known);
  const name = request.node ?? freeNodeName(builder, nodes);
  return {
    name,
    endpoint,
    platforms: request.platforms.length > 0 ? request.platforms : (before?.platforms ?? []),
    driverOpts:
      Object.keys(request.driverOpts).length > 0 ? request.driverOpts : (before?.driverOpts ?? {}),
    flags: request.flags || !before ? flagsOf(driver, request) : before.flags,
    files:
      Object.keys(request.files).length > 0 && driver !== "embedded"
        ? request.files
        : (before?.files ?? {}),
  };
}

/** Daemons that a driver starts may give steps the host's network: the client still has to ask for it. */
function flagsOf(driver: string, { flags = [], hostNetwork }: CreateRequest): readonly string[] {
  const entitlement = "--allow-insecure-entitlement=network.host";
  if (!driverKind(driver).configurable || hostNetwork) return flags;
  const given = flags.some(
    (flag) => flag.startsWith("--allow-insecure-entitlement=") && flag.includes("network.host"),
  );
  return given ? flags : [...flags, entitlement];
}

function freeNodeName(builder: string, nodes: readonly NodeRecord[]): string {
  for (let at = 0; ; at++) {
    const name = `${builder}${at}`.toLowerCase();
    if (!nodes.some((node) => node.name === name)) return name;
  }
}

function endpointOf(
  driver: string,
  given: string | undefined,
  before: NodeRecord | undefined,
  known: KnownBuilders,
): string {
  const { drivers } = known;
  if (driver === "embedded") {
    if (given !== undefined)
      throw invalid("the embedded driver has no endpoint", "Leave it out, or use --driver remote.");
    return before?.endpoint ?? embeddedEndpoint(drivers.root);
  }
  // The default context is what the environment says of docker.
  if (given === "default" && driver === "docker-container")
    return known.contexts.endpoint(given)?.host ?? given;
  if (given !== undefined) return given;
  if (before) return before.endpoint;
  if (driver === "docker-container") return contextKey(known.contexts);
  if (driver === "kubernetes") return kubernetesEndpoint(drivers.env["KUBECONFIG"]);
  const host = drivers.env["BUILDKIT_HOST"];
  if (host) return host;
  throw invalid(
    "no remote endpoint provided",
    "Write the daemon's address behind the command: unix:///PATH or tcp://HOST:PORT.",
  );
}

/** As buildx writes it: the driver reads its cluster from there. */
function kubernetesEndpoint(kubeconfig: string | undefined): string {
  return `kubernetes:///?deployment=&kubeconfig=${encodeURIComponent(kubeconfig ?? "")}`;
}

/** Throws when the builder has no such node. */
export function withoutNode(record: BuilderRecord, node: string): BuilderRecord {
  if (!record.nodes.some(({ name }) => name === node))
    throw new KilnError(
      "BUILDER_NOT_FOUND",
      `node ${JSON.stringify(node)} not found for ${record.name}`,
      {
        hint: `See which there are: kiln inspect ${record.name}`,
      },
    );
  return { ...record, nodes: record.nodes.filter(({ name }) => name !== node) };
}

function invalid(message: string, hint?: string): KilnError {
  return new KilnError("BUILDER_INVALID", message, hint === undefined ? {} : { hint });
}
