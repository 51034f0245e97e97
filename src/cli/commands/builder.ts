// What commands share in reaching the builder: configuration, credentials, the engine in this process.
import { randomBytes } from "node:crypto";
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { Builder, Credentials } from "../../api/index.ts";
import { type Call, KilnError } from "../../base/index.ts";
import type { Engine, EngineOptions } from "../../engine/engine.ts";
import type { GcOptions } from "../../engine/retention/index.ts";
import type { RegistryHostConfig } from "../../storage/registry/index.ts";
import { createDockerCredentials, readConfig, stateRoot } from "../config/index.ts";
import type { RunWorld } from "./command.ts";
import { proxyBuildArgs } from "./proxies.ts";
import { kilnVersion } from "./version.ts";

/** What configuration files say, read once for a command. */
export interface ClientConfig {
  /** Absolute. */
  readonly root: string;
  readonly hosts: Readonly<Record<string, RegistryHostConfig>>;
  readonly gc: GcOptions;
  /** Build arguments for the proxies of docker's configuration. */
  proxyArgs(): Readonly<Record<string, string>>;
  credentials(host: string, call: Call): Promise<Credentials | undefined>;
}

/** Reads Kiln's configuration file and prepares docker's credentials, which are read when a registry asks. */
export async function openClientConfig(world: RunWorld): Promise<ClientConfig> {
  const file = world.globals.config;
  const config = await readConfig(file === "" ? undefined : resolve(world.cwd, file), world.env);
  const docker = createDockerCredentials(world.env);
  return {
    root: rootOf(world, config.root),
    hosts: config.registries,
    gc: config.gc,
    proxyArgs: () => proxyBuildArgs(world.env),
    credentials: (host, call) => docker.credentials(host, call),
  };
}

function rootOf(world: RunWorld, configured: string | undefined): string {
  const flag = world.globals.root;
  return stateRoot({
    flag: flag === "" ? undefined : resolve(world.cwd, flag),
    config: configured,
    environment: world.env,
    uid: world.standing?.uid ?? process.geteuid?.() ?? 0,
    home: homedir(),
  });
}

/** The name that requests carry to registries. */
export const userAgent: string = `kiln/${kilnVersion}`;

/** The engine in this process. Loaded here and nowhere else, so that help and version start without it. */
export async function openBuilder(
  world: RunWorld,
  limits: { readonly jobs?: number } = {},
): Promise<Builder> {
  if (world.openBuilder) return world.openBuilder(world);
  const { root, hosts, gc } = await openClientConfig(world);
  const snapshotter = wantedSnapshotter(world);
  const { openEngine } = await import("../../engine/engine.ts");
  return openEngine({
    root,
    hosts,
    gc,
    version: kilnVersion,
    now: world.now,
    ...snapshotter,
    ...(world.standing && { standing: world.standing }),
    ...limits,
  });
}

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
  const builder = await openBuilder(world);
  if ("runImage" in builder) return builder as Engine;
  await builder[Symbol.asyncDispose]();
  throw new KilnError("UNSUPPORTED", "this builder cannot run images");
}

/** A name for a build that no other build has: 25 characters of base 36, as the reference's. */
export function createBuildRef(): string {
  const number = BigInt(`0x${randomBytes(17).toString("hex")}`);
  return number.toString(36).padStart(25, "0").slice(-25);
}
