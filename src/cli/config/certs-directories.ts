// What docker and containerd were told of registries: certificates in certs.d, and containerd's hosts.toml beside them.
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { isRecord, KilnError } from "../../base/index.ts";
import type { RegistryHostConfig } from "../../storage/registry/index.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type Hosts = Readonly<Record<string, RegistryHostConfig>>;

/** Larger files are a mistake. */
const maxSize = 1024 * 1024;

/**
 * Settings by host out of `KILN_CERTS_D` (directories with colons between), else out of docker's and containerd's certs.d
 * directories. Of several for one host the first counts. What cannot be read for lack of permission is passed over; what is
 * wrong is `CONFIG_INVALID`.
 */
export async function readCertsDirectories(environment: Environment): Promise<Hosts> {
  const hosts: Record<string, RegistryHostConfig> = {};
  for (const directory of certsDirectories(environment)) {
    for (const name of namesIn(directory)) {
      for (const [host, config] of Object.entries(await readHost(join(directory, name), name)))
        hosts[host] = { ...config, ...hosts[host] };
    }
  }
  return hosts;
}

function certsDirectories(environment: Environment): readonly string[] {
  const named = environment["KILN_CERTS_D"];
  if (named !== undefined) return named.split(":").filter(Boolean);
  const home = environment["XDG_CONFIG_HOME"];
  const user = home && isAbsolute(home) ? home : join(environment["HOME"] || homedir(), ".config");
  return [join(user, "docker/certs.d"), "/etc/docker/certs.d", "/etc/containerd/certs.d"];
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** `host`, `host:port`, or containerd's `host_port_` for file systems without colons. */
function hostOf(name: string): string {
  const host = name.replace(/_(\d+)_$/, ":$1");
  return host === "registry-1.docker.io" || host === "index.docker.io" ? "docker.io" : host;
}

async function readHost(directory: string, name: string): Promise<Hosts> {
  const names = namesIn(directory);
  // containerd's default for all other hosts has no counterpart here.
  if (name === "_default" || names.length === 0) return {};
  const host = hostOf(name);
  const certificates = readCertificates(directory, names);
  const own = Object.keys(certificates).length > 0 ? { [host]: certificates } : {};
  if (!names.includes("hosts.toml")) return own;
  const text = readText(join(directory, "hosts.toml"));
  return text === undefined ? own : await readHostsToml(text, directory, host, own[host]);
}

/** Docker's layout: `*.crt` are authorities, `NAME.cert` with `NAME.key` is what the client shows. */
export function readCertificates(
  directory: string,
  names: readonly string[],
): Pick<RegistryHostConfig, "ca" | "keyPair"> {
  const read = (name: string) => readText(join(directory, name));
  const ca = names
    .filter((name) => name.endsWith(".crt"))
    .map(read)
    .filter((text) => text !== undefined);
  const name = names.find((one) => one.endsWith(".cert") && names.includes(keyOf(one)));
  const cert = name === undefined ? undefined : read(name);
  const key = name === undefined ? undefined : read(keyOf(name));
  return {
    ...(ca.length > 0 ? { ca } : {}),
    ...(cert !== undefined && key !== undefined ? { keyPair: { cert, key } } : {}),
  };
}

function keyOf(cert: string): string {
  return cert.replace(/cert$/, "key");
}

/** Undefined where this user may not read it. */
function readText(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  if (text.length <= maxSize) return text;
  throw new KilnError("CONFIG_INVALID", `${path} is larger than ${maxSize} bytes`);
}

/** The servers that hosts.toml names are mirrors of the host, and hosts with settings of their own. */
async function readHostsToml(
  text: string,
  directory: string,
  host: string,
  own: RegistryHostConfig | undefined,
): Promise<Hosts> {
  const file = join(directory, "hosts.toml");
  const { parse } = await import("smol-toml");
  let document: Readonly<Record<string, unknown>>;
  try {
    document = parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n")[0] : "";
    throw new KilnError("CONFIG_INVALID", `${file}: ${why}`, { cause });
  }
  const { host: tables = {}, server } = document;
  if (!isRecord(tables)) throw new KilnError("CONFIG_INVALID", `${file}: host must hold tables`);
  const found: Record<string, RegistryHostConfig> = {};
  const mirrors: string[] = [];
  for (const [url, table] of Object.entries(tables)) {
    const settings = isRecord(table) ? table : {};
    const { name, mirror, http } = parseServer(url, file);
    const capabilities = settings["capabilities"];
    const pulls = !Array.isArray(capabilities) || capabilities.includes("pull");
    if (pulls && name !== host) mirrors.push(mirror);
    found[name] = { ...serverSettings(settings, directory), ...(http ? { http } : {}) };
  }
  if (typeof server === "string") {
    const { name, mirror, http } = parseServer(server, file);
    // The namespace's own server is asked in any case; another one is one more place to ask.
    if (name !== host && name !== "registry-1.docker.io") mirrors.push(mirror);
    found[name] = {
      ...serverSettings(document, directory),
      ...(http ? { http } : {}),
      ...found[name],
    };
  }
  found[host] = { ...own, ...found[host], ...(mirrors.length > 0 ? { mirrors } : {}) };
  return found;
}

function parseServer(text: string, file: string) {
  const url = URL.canParse(text) && text.includes("://") ? new URL(text) : undefined;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new KilnError("CONFIG_INVALID", `${file}: ${JSON.stringify(text)} is no URL of a server`);
  // A path of the protocol's own is no prefix.
  const path = url.pathname.replace(/^\/v2(?=\/|$)/, "").replace(/\/+$/, "");
  const http = url.protocol === "http:";
  return { name: hostOf(url.host), mirror: `${http ? "http://" : ""}${url.host}${path}`, http };
}

function serverSettings(
  { ca, client, skip_verify: skip }: Readonly<Record<string, unknown>>,
  directory: string,
): RegistryHostConfig {
  const read = (name: unknown) =>
    typeof name === "string" ? readText(resolve(directory, name)) : undefined;
  const authorities = (Array.isArray(ca) ? ca : [ca])
    .map(read)
    .filter((text) => text !== undefined);
  // One file with both, or pairs of files; the first that can be read counts.
  const pairs = (Array.isArray(client) ? client : [client]).map((one) =>
    Array.isArray(one)
      ? { cert: read(one[0]), key: read(one[1]) }
      : { cert: read(one), key: read(one) },
  );
  const pair = pairs.find(({ cert, key }) => cert !== undefined && key !== undefined);
  return {
    ...(authorities.length > 0 ? { ca: authorities } : {}),
    ...(pair?.cert && pair.key ? { keyPair: { cert: pair.cert, key: pair.key } } : {}),
    ...(skip === true ? { insecure: true } : {}),
  };
}
