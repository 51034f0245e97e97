// The `[registry."host"]` tables of the configuration file.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isRecord, type KilnError } from "../../base/index.ts";
import type { RegistryHostConfig } from "../../storage/registry/index.ts";
import { type ConfigText, configInvalid, lineOfKey, unknownKey } from "./config-text.ts";

const keys = ["mirrors", "http", "insecure", "ca", "keypair", "tlsconfigdir"];
const hubNames = new Set(["index.docker.io", "registry-1.docker.io"]);

/** Files that the tables name are read here; relative paths count from the configuration file. Throws `CONFIG_INVALID`. */
export function readRegistries(
  tables: Readonly<Record<string, unknown>>,
  config: ConfigText,
): Readonly<Record<string, RegistryHostConfig>> {
  return Object.fromEntries(
    Object.entries(tables).map(([host, table]) => [
      hubNames.has(host) ? "docker.io" : host,
      readTable(host, table, config),
    ]),
  );
}

/** One table with the means to complain about it. */
interface Table {
  readonly values: Readonly<Record<string, unknown>>;
  fail(key: string, why: string): KilnError;
  /** Contents of a file that the key names. */
  file(key: string, path: string): string;
}

function readTable(host: string, value: unknown, config: ConfigText): RegistryHostConfig {
  const fail = (key: string, why: string) =>
    configInvalid(config, lineOfKey(config.text, host, key), why);
  if (!isHost(host))
    throw fail("", `"${host}" is not a registry's host; write it as host or host:port`);
  if (!isRecord(value)) throw fail("", `registry."${host}" must be a table`);
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw fail(unknown, unknownKey(unknown, keys));
  const path = (name: string) => resolve(dirname(config.file), name);
  const table: Table = {
    values: value,
    fail,
    file(key, name) {
      try {
        return readFileSync(path(name), "utf8");
      } catch {
        throw fail(key, `cannot read ${path(name)}`);
      }
    },
  };
  const directories = strings(table, "tlsconfigdir") ?? [];
  const certificates = directories.map((name) => readCertificates(table, path(name)));
  const ca = [
    ...(strings(table, "ca") ?? []).map((name) => table.file("ca", name)),
    ...certificates.flatMap((one) => one.ca),
  ];
  const keyPair = readKeyPair(table) ?? certificates.find((one) => one.keyPair)?.keyPair;
  const mirrors = strings(table, "mirrors");
  const http = boolean(table, "http");
  const insecure = boolean(table, "insecure");
  return {
    ...(mirrors ? { mirrors } : {}),
    ...(http === undefined ? {} : { http }),
    ...(insecure === undefined ? {} : { insecure }),
    ...(ca.length > 0 ? { ca } : {}),
    ...(keyPair ? { keyPair } : {}),
  };
}

function isHost(text: string): boolean {
  return /^[^\s/@?#]+$/.test(text) && URL.canParse(`https://${text}`);
}

function strings({ values, fail }: Table, key: string): readonly string[] | undefined {
  const value = values[key];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw fail(key, `${key} must be a list of strings`);
}

function boolean({ values, fail }: Table, key: string): boolean | undefined {
  const value = values[key];
  if (value === undefined || typeof value === "boolean") return value;
  throw fail(key, `${key} must be true or false`);
}

function readKeyPair({ values, fail, file }: Table): RegistryHostConfig["keyPair"] {
  const { keypair } = values;
  if (keypair === undefined) return undefined;
  const first: unknown = Array.isArray(keypair) ? keypair[0] : keypair;
  if (!isRecord(first)) throw fail("keypair", "keypair must be a table with key and cert");
  const { key, cert } = first;
  if (typeof key !== "string" || typeof cert !== "string") {
    throw fail("keypair", "keypair must name two files, key and cert");
  }
  return { key: file("keypair", key), cert: file("keypair", cert) };
}

/** A directory in the layout of docker's certs.d: `*.crt` are authorities, `NAME.cert` and `NAME.key` a pair. */
function readCertificates(
  table: Table,
  directory: string,
): { ca: readonly string[]; keyPair: RegistryHostConfig["keyPair"] } {
  let names: readonly string[];
  try {
    names = readdirSync(directory).sort();
  } catch {
    throw table.fail("tlsconfigdir", `cannot read the directory ${directory}`);
  }
  const read = (name: string) => table.file("tlsconfigdir", join(directory, name));
  const cert = names.find(
    (name) => name.endsWith(".cert") && names.includes(name.replace(/cert$/, "key")),
  );
  return {
    ca: names.filter((name) => name.endsWith(".crt")).map(read),
    keyPair:
      cert === undefined
        ? undefined
        : { cert: read(cert), key: read(cert.replace(/cert$/, "key")) },
  };
}
