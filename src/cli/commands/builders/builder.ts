// What commands share in reaching the builder: configuration, credentials, the engine in this process.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Builder, BuilderInfo } from "../../../api/index.ts";
import { type Call, KilnError } from "../../../base/index.ts";
import type { Engine, EngineOptions } from "../../../engine/engine.ts";
import type { RunWorld } from "../command.ts";
import { kilnVersion } from "../version.ts";
import { openClientConfig } from "./client-config.ts";
import { storeDirectory } from "./store-place.ts";

/** What a command may set of the engine besides what configuration says. */
export type EngineLimits = Partial<
  Pick<
    EngineOptions,
    | "dns"
    | "entitlements"
    | "gc"
    | "history"
    | "jobs"
    | "manyClients"
    | "network"
    | "platforms"
    | "runtime"
    | "snapshotter"
  >
>;

/**
 * The builder that --builder, BUILDX_BUILDER, BUILDKIT_HOST or `kiln use` chose; the engine in this process where nothing
 * was chosen.
 */
export async function openBuilder(world: RunWorld, limits: EngineLimits = {}): Promise<Builder> {
  if (world.openBuilder) return world.openBuilder(world);
  if (!mayBeChosen(world)) return openEmbedded(world, limits);
  // Drivers and their protocols are loaded only where another builder may be meant.
  const { openChosenBuilder } = await import("./chosen-builder.ts");
  return openChosenBuilder(world, (root) => openEmbedded(world, { ...limits, root }));
}

/** The nodes of the chosen builder, each by itself: for what is asked of nodes and not of a builder. The caller closes them. */
export async function openBuilderNodes(world: RunWorld): Promise<{
  readonly name: string;
  readonly nodes: readonly { readonly name: string; readonly builder: Builder }[];
}> {
  if (world.openBuilder || !mayBeChosen(world)) {
    const name = "embedded";
    return { name, nodes: [{ name, builder: await openEmbedded(world) }] };
  }
  const { openChosenNodes } = await import("./chosen-builder.ts");
  return openChosenNodes(world, (root) => openEmbedded(world, { root }));
}

/** Whether the chosen builder was made with `default-load=true`. Throws `BUILDER_NOT_FOUND`. */
export async function loadsByDefault(world: RunWorld): Promise<boolean> {
  if (world.openBuilder || !mayBeChosen(world)) return false;
  const { chosenLoads } = await import("./chosen-builder.ts");
  return await chosenLoads(world);
}

/**
 * Where builds run, in buildx's words, for what is shown above their steps; undefined for the engine in this process that
 * nobody chose. Throws `BUILDER_NOT_FOUND`.
 */
export async function builderHeading(world: RunWorld): Promise<string | undefined> {
  if (world.openBuilder || !mayBeChosen(world)) return undefined;
  const { chosenBuilder } = await import("./chosen-builder.ts");
  const { name, driver } = await chosenBuilder(world);
  return `building with ${JSON.stringify(name)} instance using ${driver} driver`;
}

/** Whether builds run in a docker engine, which keeps their images. Throws `BUILDER_NOT_FOUND`. */
export async function buildsInDocker(world: RunWorld): Promise<boolean> {
  if (world.openBuilder || !mayBeChosen(world)) return false;
  const { chosenBuilder } = await import("./chosen-builder.ts");
  return (await chosenBuilder(world)).driver === "docker";
}

/** False when nothing can have chosen another builder than the embedded one: no file has to be read then. */
function mayBeChosen({ env, globals }: RunWorld): boolean {
  const named = globals.builder || env["BUILDX_BUILDER"];
  if (named || env["BUILDKIT_HOST"] || env["KILN_PLUGIN"] === "buildx") return named !== "embedded";
  return existsSync(join(storeDirectory(env), "current"));
}

/** Asks the engine in this process what it is, for a state directory. */
export function askEmbedded(world: RunWorld): (root: string, call: Call) => Promise<BuilderInfo> {
  return async (root, call) => {
    await using engine = await openEmbedded(world, { root });
    return await engine.info(call);
  };
}

/** The engine in this process. Loaded here and nowhere else, so that help and version start without it. */
export async function openEmbedded(
  world: RunWorld,
  { root: own, ...limits }: EngineLimits & { readonly root?: string } = {},
): Promise<Builder> {
  if (world.openBuilder) return world.openBuilder(world);
  const { root: usual, hosts, gc, emulators, lent } = await openClientConfig(world);
  const root = own ?? usual;
  const snapshotter = wantedSnapshotter(world);
  const { openEngine } = await import("../../../engine/engine.ts");
  return openEngine({
    root,
    hosts,
    gc,
    ...(emulators === undefined ? {} : { emulators }),
    ...(lent.cdi === undefined ? {} : { cdi: lent.cdi }),
    ...(lent.proxyNetwork ? { proxyNetwork: true } : {}),
    ...(lent.entitlements === undefined
      ? {}
      : { entitlements: readEntitlements(lent.entitlements) }),
    version: kilnVersion,
    now: world.now,
    // Protocol and services are loaded only where a frontend runs in a container.
    serveBridge: async (bridge, socket, call) => {
      const { serveBridge } = await import("../../../remote/daemon/index.ts");
      const { buildError } = await import("../../../remote/client/index.ts");
      return serveBridge(bridge, socket, call).catch((error: unknown) => {
        // Clients of a daemon get a frontend's error as it is; here it is told to people.
        throw limits.manyClients ? error : buildError(error);
      });
    },
    ...snapshotter,
    ...(world.standing && { standing: world.standing }),
    ...limits,
  });
}

/** Of `insecure-entitlements` and --allow-insecure-entitlement. Throws `FLAG_INVALID`. */
export function readEntitlements(
  names: readonly string[],
): NonNullable<EngineOptions["entitlements"]> {
  return names.map((name) => {
    const found = entitlements.find((one) => one === name);
    if (found) return found;
    throw new KilnError("FLAG_INVALID", `there is no entitlement ${JSON.stringify(name)}`, {
      hint: `Entitlements are ${entitlements.join(", ")}.`,
    });
  });
}

const entitlements = ["network.host", "security.insecure", "device"] as const;

/** KILN_SNAPSHOTTER, for machines where the choice of the engine is not the best, and for tests; else what the isolation says. */
function wantedSnapshotter({ env, standing }: RunWorld): Pick<EngineOptions, "snapshotter"> {
  const name = env["KILN_SNAPSHOTTER"] || undefined;
  if (name === undefined) {
    switch (standing?.isolation) {
      case "userns-fuse":
        return { snapshotter: "fuse" };
      case "userns-copy":
      case "proot":
        return { snapshotter: "copy" };
      default:
        return {};
    }
  }
  const kind = snapshotterKinds.find((one) => one === name);
  if (kind !== undefined) return { snapshotter: kind };
  throw new KilnError(
    "CONFIG_INVALID",
    `KILN_SNAPSHOTTER must be ${snapshotterKinds.join(" or ")}, not ${JSON.stringify(name)}`,
  );
}

const snapshotterKinds = ["overlay", "fuse", "copy"] as const;

/** The engine as what runs images. Tests give one too. */
export async function openRunner(world: RunWorld): Promise<Engine> {
  const builder = await openEmbedded(world);
  if ("runImage" in builder) return builder as Engine;
  await builder[Symbol.asyncDispose]();
  throw new KilnError("UNSUPPORTED", "this builder cannot run images");
}

/** A name for a build that no other build has: 25 characters of base 36, as the reference's. */
export function createBuildRef(): string {
  const number = BigInt(`0x${randomBytes(17).toString("hex")}`);
  return number.toString(36).padStart(25, "0").slice(-25);
}
