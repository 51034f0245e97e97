// Kiln's configuration file: TOML in the forms of buildkitd.toml.
import type { RegistryHostConfig } from "../../storage/registry/index.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface KilnConfig {
  /** Absolute path of the file it came from; undefined when there is none. */
  readonly file: string | undefined;
  /** By host; `docker.io` for the hub. */
  readonly registries: Readonly<Record<string, RegistryHostConfig>>;
  readonly root?: string;
}

/**
 * Reads `path` (`--config`), else KILN_CONFIG, else `$XDG_CONFIG_HOME/kiln/kiln.toml`, else `/etc/kiln/kiln.toml`. A file that
 * was named must exist. Throws `CONFIG_INVALID` with file and line.
 */
export async function readConfig(
  path: string | undefined,
  environment: Environment,
): Promise<KilnConfig> {
  throw new Error(`not yet ${path} ${environment}`);
}
