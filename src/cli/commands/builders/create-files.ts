// A daemon's configuration as it goes into a container: the file, and the certificates it names, with their new paths.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parse, stringify } from "smol-toml";
import { isRecord, KilnError } from "../../../base/index.ts";

/** Where the daemon finds its configuration. */
const configDirectory = "/etc/buildkit";

export interface DaemonFiles {
  /** By path below the configuration's directory. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** The configuration itself allows steps the host's network. */
  readonly hostNetwork: boolean;
}

/** Reads `file` and what it names. Throws `CONFIG_INVALID`. */
export function daemonFiles(file: string): DaemonFiles {
  const text = readText(file, "buildkit configuration file not found");
  const document = parseToml(text, file);
  const certificates: Record<string, Uint8Array> = {};
  const registries = document["registry"];
  if (isRecord(registries)) {
    for (const [host, table] of Object.entries(registries))
      if (isRecord(table)) moveCertificates(host, table as Record<string, unknown>, certificates);
  }
  const changed = Object.keys(certificates).length > 0 ? stringify(document) : text;
  return {
    files: { "buildkitd.toml": new TextEncoder().encode(changed), ...certificates },
    hostNetwork: hasEntitlement(document, "network.host"),
  };
}

/** Takes the registry's certificates along and points its table at where they will be. */
function moveCertificates(
  host: string,
  table: Record<string, unknown>,
  files: Record<string, Uint8Array>,
): void {
  // A colon would end the name in some of the places such paths go through.
  const directory = `certs/${host.replaceAll(":", "_").replaceAll("/", "_")}`;
  const move = (path: string) => {
    const name = `${directory}/${basename(path)}`;
    files[name] = readBytes(path, `certificate of registry ${host} not found`);
    return `${configDirectory}/${name}`;
  };
  const { ca, keypair } = table;
  if (Array.isArray(ca)) table["ca"] = ca.map((path) => move(String(path)));
  if (Array.isArray(keypair)) {
    table["keypair"] = keypair.map((pair) => {
      if (!isRecord(pair)) return pair;
      const moved = (["key", "cert"] as const).flatMap((part) =>
        typeof pair[part] === "string" ? [[part, move(pair[part])] as const] : [],
      );
      return { ...pair, ...Object.fromEntries(moved) };
    });
  }
}

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    throw new KilnError("CONFIG_INVALID", `${file} is not valid TOML`, { cause });
  }
}

function readText(file: string, what: string): string {
  return new TextDecoder().decode(readBytes(file, what));
}

function readBytes(file: string, what: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new KilnError("CONFIG_INVALID", `${what}: ${file}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function hasEntitlement(document: Readonly<Record<string, unknown>>, name: string): boolean {
  const list = document["insecure-entitlements"];
  return Array.isArray(list) && list.includes(name);
}
