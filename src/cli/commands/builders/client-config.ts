// What commands read before they ask anybody: configuration, credentials, where state is.
import { resolve } from "node:path";
import type { Credentials } from "../../../api/index.ts";
import type { Call } from "../../../base/index.ts";
import type { GcOptions } from "../../../engine/retention/index.ts";
import type { RegistryHostConfig } from "../../../storage/registry/index.ts";
import { createDockerCredentials, type KilnConfig, readConfig } from "../../config/index.ts";
import { proxyBuildArgs } from "../build/proxies.ts";
import type { RunWorld } from "../command.ts";
import { rootOf } from "../state-place.ts";
import { kilnVersion } from "../version.ts";

/** What configuration files say, read once for a command. */
export interface ClientConfig {
  /** Absolute. */
  readonly root: string;
  readonly hosts: Readonly<Record<string, RegistryHostConfig>>;
  readonly gc: GcOptions;
  /** What steps may be lent beyond the sandbox. */
  readonly lent: KilnConfig["lent"];
  /** Emulators as in KILN_QEMU. */
  readonly emulators?: string;
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
    lent: config.lent,
    ...(config.emulators === undefined ? {} : { emulators: config.emulators }),
    proxyArgs: () => proxyBuildArgs(world.env),
    credentials: (host, call) => docker.credentials(host, call),
  };
}

/** The name that requests carry to registries. */
export const userAgent: string = `kiln/${kilnVersion}`;
