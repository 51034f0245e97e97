// Kiln's configuration file: TOML in the forms of buildkitd.toml.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { isRecord, KilnError } from "../../base/index.ts";
import type { GcOptions } from "../../engine/retention/index.ts";
import type { RegistryHostConfig } from "../../storage/registry/index.ts";
import { readCertsDirectories } from "./certs-directories.ts";
import { type ConfigText, configInvalid, lineOfKey, unknownKey } from "./config-text.ts";
import {
  type DaemonTables,
  type LentByConfig,
  readDaemonTables,
  readLent,
} from "./daemon-tables.ts";
import { readEmulators } from "./emulator-tables.ts";
import { readGc } from "./gc-tables.ts";
import { readRegistries } from "./registry-tables.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface KilnConfig {
  /** Absolute path of the file it came from; undefined when there is none. */
  readonly file: string | undefined;
  /** By host; `docker.io` for the hub. */
  readonly registries: Readonly<Record<string, RegistryHostConfig>>;
  readonly gc: GcOptions;
  /** What steps may be lent beyond the sandbox. */
  readonly lent: LentByConfig;
  /** Emulators as in KILN_QEMU. */
  readonly emulators?: string;
  /** Absolute. */
  readonly root?: string;
  /** What the file says of the daemon, read when it is asked for. Throws `CONFIG_INVALID`. */
  daemon(): DaemonTables;
}

/** Larger files are a mistake. */
const maxConfigFileSize = 1024 * 1024;

/** Tables of buildkitd.toml that mean nothing here; a file may serve both. */
const foreignTables = new Set(
  "debug trace insecure-entitlements proxyNetwork provenanceEnvDir log grpc otel cdi worker dns history frontend system hooks".split(
    " ",
  ),
);
const ownKeys = ["root", "registry", "emulators"];

/**
 * Reads `path` (`--config`), else KILN_CONFIG, else `$XDG_CONFIG_HOME/kiln/kiln.toml`, else `/etc/kiln/kiln.toml`. A file that
 * was named must exist. Throws `CONFIG_INVALID` with file and line.
 */
export async function readConfig(
  path: string | undefined,
  environment: Environment,
): Promise<KilnConfig> {
  const found = findConfig(path, environment);
  if (!found) {
    const daemon = () => readDaemonTables({}, { file: "", text: "" });
    const registries = await readCertsDirectories(environment);
    return { file: undefined, registries, gc: {}, lent: {}, daemon };
  }
  const { parse, TomlError } = await import("smol-toml");
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parse(found.text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The rest of the message is an excerpt, which the command draws itself.
    const why =
      error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not valid TOML";
    throw configInvalid(found, error.line, why, error.column);
  }
  const config = interpret(document, found);
  return {
    ...config,
    registries: merged(await readCertsDirectories(environment), config.registries),
  };
}

/** Settings of both, host by host; those of the file come first. */
function merged(
  others: KilnConfig["registries"],
  own: KilnConfig["registries"],
): KilnConfig["registries"] {
  const hosts = new Set([...Object.keys(others), ...Object.keys(own)]);
  return Object.fromEntries([...hosts].map((host) => [host, { ...others[host], ...own[host] }]));
}

function interpret(document: Readonly<Record<string, unknown>>, config: ConfigText): KilnConfig {
  for (const key of Object.keys(document)) {
    if (ownKeys.includes(key) || foreignTables.has(key)) continue;
    throw configInvalid(config, lineOfKey(config.text, undefined, key), unknownKey(key, ownKeys));
  }
  const { root, registry = {} } = document;
  if (root !== undefined && typeof root !== "string") {
    throw configInvalid(config, lineOfKey(config.text, undefined, "root"), "root must be a string");
  }
  if (!isRecord(registry)) {
    throw configInvalid(
      config,
      lineOfKey(config.text, undefined, "registry"),
      "registry must hold tables, one a host",
    );
  }
  const emulators = readEmulators(document["emulators"], config);
  return {
    file: config.file,
    registries: readRegistries(registry, config),
    ...(emulators === undefined ? {} : { emulators }),
    gc: readGc(document["worker"], config),
    lent: readLent(document, config),
    daemon: () => readDaemonTables(document, config),
    ...(root ? { root: resolve(dirname(config.file), root) } : {}),
  };
}

function findConfig(path: string | undefined, environment: Environment): ConfigText | undefined {
  const named = path ?? (environment["KILN_CONFIG"] || undefined);
  if (named !== undefined) {
    const file = resolve(named);
    const text = readIfThere(file);
    if (text !== undefined) return { file, text };
    const by = path === undefined ? "KILN_CONFIG" : "--config";
    throw new KilnError("CONFIG_INVALID", `${by}: there is no file ${file}`);
  }
  const home = environment["XDG_CONFIG_HOME"];
  const user = home && isAbsolute(home) ? home : join(environment["HOME"] || homedir(), ".config");
  for (const file of [join(user, "kiln/kiln.toml"), "/etc/kiln/kiln.toml"]) {
    const text = readIfThere(file);
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

function readIfThere(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new KilnError("CONFIG_INVALID", `cannot read the configuration file ${file}`, { cause });
  }
  if (text.length > maxConfigFileSize)
    throw new KilnError("CONFIG_INVALID", `${file} is larger than ${maxConfigFileSize} bytes`);
  return text;
}
