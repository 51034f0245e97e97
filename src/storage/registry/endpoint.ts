// Which servers stand behind a repository's name: its mirrors, and the registry itself.
import { KilnError } from "../../base/index.ts";
import { parseExactReference } from "../../formats/oci/index.ts";
import type { RegistryHostConfig, RegistryOptions } from "./registry.ts";

/** One server that can be asked for a repository. */
export interface Endpoint {
  /** As configuration and credentials know it: `docker.io`, `mirror.example:5000`. */
  readonly name: string;
  /** Host and port to connect to. */
  readonly address: string;
  /** Path of the repository there, with the mirror's prefix. */
  readonly repository: string;
  /** What a mirror is to fetch where it has not got it: sent as `?ns=`, as containerd does. */
  readonly namespace?: string;
  readonly config: RegistryHostConfig;
}

const hub = "docker.io";
const hubServer = "registry-1.docker.io";

/** Host and path of a normalised repository name. Throws `REFERENCE_INVALID` for anything else. */
export function parseRepository(repository: string): {
  readonly host: string;
  readonly path: string;
} {
  const { domain, path, tag, digest } = parseExactReference(repository);
  if (domain !== "" && tag === undefined && digest === undefined) return { host: domain, path };
  throw new KilnError(
    "REFERENCE_INVALID",
    `not a repository with its host: ${JSON.stringify(repository)}`,
  );
}

/** The settings of a host. The same object for the same host: connections are kept by it. */
export type HostTable = (host: string) => RegistryHostConfig;

export function createHostTable({
  hosts,
  insecure = false,
}: Pick<RegistryOptions, "hosts" | "insecure">): HostTable {
  const known = new Map<string, RegistryHostConfig>();
  return (host) => {
    const found = known.get(host);
    if (found) return found;
    const own = Object.hasOwn(hosts, host) ? hosts[host] : undefined;
    const config = insecure ? { ...own, insecure } : (own ?? {});
    known.set(host, config);
    return config;
  };
}

/** The registry itself. */
export function originOf(repository: string, hosts: HostTable): Endpoint {
  const { host, path } = parseRepository(repository);
  const address = host === hub ? hubServer : host;
  return { name: host, address, repository: path, config: hosts(host) };
}

/** The mirrors of the repository's host, in the order in which they are configured. */
export function mirrorsOf(repository: string, hosts: HostTable): readonly Endpoint[] {
  const { host, path } = parseRepository(repository);
  return (hosts(host).mirrors ?? []).map((mirror) => {
    const { address, prefix, http } = parseMirror(mirror);
    const own = hosts(address);
    const config = http && own.http === undefined ? { ...own, http } : own;
    return { name: address, address, repository: prefix + path, namespace: host, config };
  });
}

function parseMirror(mirror: string): Mirror {
  const match = /^(?:(https?):\/\/)?((?:[\w.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?)((?:\/[\w.-]*)*)$/.exec(
    mirror,
  );
  const address = match?.[2];
  const parts = (match?.[3] ?? "").split("/").filter(Boolean);
  const climbs = parts.some((part) => part === "." || part === "..");
  if (!address || climbs || !URL.canParse(`https://${address}`)) {
    throw new KilnError("CONFIG_INVALID", `not a mirror: ${JSON.stringify(mirror)}`, {
      hint: "Write a mirror as host[:port][/prefix], for example mirror.example:5000 or registry.example/proxy.",
    });
  }
  const prefix = parts.map((part) => `${part}/`).join("");
  return { address, prefix, http: match?.[1] === "http" };
}

interface Mirror {
  readonly address: string;
  /** Empty, or ending in a slash. */
  readonly prefix: string;
  /** True when it was written as an http URL. */
  readonly http: boolean;
}
