// Compose files as targets: one for each service that is built (compose-spec, build.md; buildx's x-bake).

import { isRecord, KilnError, parseBool, parseSize } from "../../../base/index.ts";
import type { Source } from "../../hcl/index.ts";
import { parseEntry } from "../entries.ts";
import {
  type Entry,
  type EntryKind,
  type Fields,
  type Group,
  mergeFields,
  type TargetDefinition,
} from "../target.ts";
import { checkBuildKeys } from "./build-keys.ts";
import { asBuild, asMap, mergeTrees, parseCompose, servicesOf, type Tree } from "./document.ts";
import { parseEnvFile, type Variables } from "./interpolate.ts";

export interface ComposeOptions {
  readonly env: Variables;
  /** Text of a file beside the Compose files; undefined where there is none. */
  readonly readFile: (path: string) => string | undefined;
}

/** Targets of all services that have a `build`, and the group `default` of them. Throws `BAKE_INVALID`. */
export function readCompose(
  sources: readonly Source[],
  { env, readFile }: ComposeOptions,
): { readonly targets: readonly TargetDefinition[]; readonly groups: readonly Group[] } {
  const variables = { ...parseEnvFile(readFile(".env") ?? "", env), ...env };
  const read = (path: string): Tree | undefined => {
    const text = readFile(path);
    return text === undefined ? undefined : parseCompose({ name: path, text }, variables);
  };
  const trees = sources.flatMap((source) => {
    const tree = parseCompose(source, variables);
    return [...included(tree, read, 0), tree];
  });
  const whole = trees.reduce<Tree>(mergeTrees, {});
  const context = { variables, secrets: isRecord(whole["secrets"]) ? whole["secrets"] : {} };
  const targets = [...servicesOf(whole, read)]
    .filter(([, service]) => service["build"] !== undefined && service["build"] !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, service]) => targetOf(name, service, context));
  const names = targets.map(({ name }) => name);
  return { targets, groups: names.length === 0 ? [] : [{ name: "default", targets: names }] };
}

function included(tree: Tree, read: (path: string) => Tree | undefined, depth: number): Tree[] {
  const paths = listOf(tree["include"]).flatMap((one) =>
    isRecord(one) ? listOf(one["path"]) : [one],
  );
  if (depth > 20) throw new KilnError("BAKE_INVALID", "Compose files include each other");
  return paths.flatMap((path) => {
    const found = read(String(path));
    if (!found) throw new KilnError("BAKE_INVALID", `included file ${String(path)} does not exist`);
    return [...included(found, read, depth + 1), found];
  });
}

interface Context {
  readonly variables: Variables;
  readonly secrets: Tree;
}

function targetOf(service: string, tree: Tree, context: Context): TargetDefinition {
  const name = service.replaceAll(".", "_");
  if (!/^[a-zA-Z0-9_-]+$/.test(name)) {
    throw new KilnError(
      "BAKE_INVALID",
      `invalid service name ${JSON.stringify(service)}: only "[a-zA-Z0-9_-]+" are allowed`,
    );
  }
  const build = asBuild(tree["build"]);
  if (build["dockerfile"] !== undefined && build["dockerfile_inline"] !== undefined) {
    throw new KilnError(
      "BAKE_INVALID",
      `service ${JSON.stringify(service)} declares mutually exclusive dockerfile and dockerfile_inline`,
    );
  }
  checkBuildKeys(service, build);
  const fields = buildFields(build, tree["image"], context);
  return { name, inherits: [], fields: withBake(fields, build["x-bake"]) };
}

function buildFields(build: Tree, image: unknown, context: Context): Fields {
  const tags = texts(build["tags"]);
  const named = tags.length > 0 ? tags : texts(image);
  const attest = [
    ...attestations("sbom", build["sbom"]),
    ...attestations("provenance", build["provenance"]),
  ];
  return withoutEmpty({
    attest: attest,
    context: pathText(text(build["context"]) ?? "."),
    contexts: contextsOf(build["additional_contexts"]),
    dockerfile: text(build["dockerfile"]),
    "dockerfile-inline": text(build["dockerfile_inline"]),
    args: valuesOf(build["args"], context.variables),
    labels: mapOf(build["labels"]),
    tags: named,
    "cache-from": entries("cache", build["cache_from"]),
    "cache-to": entries("cache", build["cache_to"]),
    target: text(build["target"]) || undefined,
    secret: listOf(build["secrets"]).map((one) => secretOf(one, context)),
    ssh: sshOf(build["ssh"]),
    platforms: texts(build["platforms"]),
    pull: flag(build["pull"]),
    "no-cache": flag(build["no_cache"]),
    network: text(build["network"]),
    "shm-size": sizeText(build["shm_size"]),
    ulimits: ulimitsOf(build["ulimits"]),
    entitlements: texts(build["entitlements"]),
    "extra-hosts": hostsOf(build["extra_hosts"]),
  });
}

/** What `x-bake` adds: it speaks of attributes as bake files do. */
function withBake(fields: Fields, extension: unknown): Fields {
  if (!isRecord(extension)) return fields;
  const bake: Fields = withoutEmpty({
    contexts: mapOf(extension["contexts"]),
    "cache-from": entries("cache", extension["cache-from"]),
    "cache-to": entries("cache", extension["cache-to"]),
    secret: entries("secret", extension["secret"]),
    ssh: entries("ssh", extension["ssh"]),
    output: entries("output", extension["output"]),
    pull: flag(extension["pull"]),
    "no-cache": flag(extension["no-cache"]),
    "no-cache-filter": texts(extension["no-cache-filter"]),
  });
  const merged = mergeFields(fields, bake);
  const tags = [...(fields.tags ?? []), ...texts(extension["tags"])];
  const platforms = [...(fields.platforms ?? []), ...texts(extension["platforms"])];
  return {
    ...merged,
    ...(tags.length > 0 ? { tags } : {}),
    ...(platforms.length > 0 ? { platforms } : {}),
  };
}

function withoutEmpty(values: { readonly [K in keyof Fields]: Fields[K] | undefined }): Fields {
  const kept = Object.entries(values).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(kept);
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function texts(value: unknown): readonly string[] {
  return listOf(value).map(String);
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}

function flag(value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "boolean" ? value : parseBool(String(value));
}

function entries(kind: EntryKind, value: unknown): readonly Entry[] {
  return texts(value).flatMap((one) => (one === "" ? [] : parseEntry(kind, one)));
}

function attestations(type: string, value: unknown): readonly Entry[] {
  if (value === undefined || value === null) return [];
  const on = typeof value === "boolean" ? value : parseBool(String(value));
  if (on === undefined) return parseEntry("attest", `type=${type},${String(value)}`);
  return parseEntry("attest", on ? `type=${type}` : `type=${type},disabled=true`);
}

/** Paths as Go cleans them; addresses as they are. */
function pathText(path: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\/|^git@|^github\.com\//i.test(path)) return path;
  const isAbsolute = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !isAbsolute) parts.push(part);
  }
  return (isAbsolute ? "/" : "") + parts.join("/") || ".";
}

function mapOf(value: unknown): Readonly<Record<string, string>> | undefined {
  const map = asMap(value);
  if (!isRecord(map)) return undefined;
  return Object.fromEntries(Object.entries(map).map(([key, one]) => [key, String(one ?? "")]));
}

/** Without a value a name has the environment's, or is left out. */
function valuesOf(
  value: unknown,
  variables: Variables,
): Readonly<Record<string, string>> | undefined {
  const map = asMap(value);
  if (!isRecord(map)) return undefined;
  return Object.fromEntries(
    Object.entries(map).flatMap(([key, one]): [string, string][] => {
      const known = one === null || one === undefined ? variables[key] : String(one);
      return known === undefined ? [] : [[key, known]];
    }),
  );
}

function contextsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  const map = mapOf(value);
  if (!map) return undefined;
  return Object.fromEntries(
    Object.entries(map).map(([name, source]) => [
      name,
      source.startsWith("service:")
        ? `target:${source.slice("service:".length).replaceAll(".", "_")}`
        : pathText(source),
    ]),
  );
}

/** Of the Compose file's secrets. */
function secretOf(value: unknown, { secrets }: Context): Entry {
  const id = isRecord(value) ? String(value["source"] ?? "") : String(value);
  const found = secrets[id];
  if (!isRecord(found))
    throw new KilnError("BAKE_INVALID", `secret ${JSON.stringify(id)} is not defined`);
  const { file, environment } = found;
  return {
    id,
    ...(typeof file === "string" ? { src: pathText(file) } : {}),
    ...(typeof environment === "string" ? { env: environment } : {}),
  };
}

/** `[default, id=path]`, or a map of ids. */
function sshOf(value: unknown): readonly Entry[] {
  if (!isRecord(value)) return entries("ssh", value);
  return Object.entries(value).flatMap(([id, path]) =>
    parseEntry("ssh", path === null || path === undefined ? id : `${id}=${String(path)}`),
  );
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A size as docker's units write it: at most four digits and a unit. */
function sizeText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  let size = parseSize(String(value));
  if (size === undefined)
    throw new KilnError("BAKE_INVALID", `invalid size ${JSON.stringify(value)}`);
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${Number(size.toPrecision(4))}${units[unit]}`;
}

function ulimitsOf(value: unknown): readonly string[] {
  if (!isRecord(value)) return [];
  return Object.entries(value).map(([name, limit]) => {
    const [soft, hard] = isRecord(limit) ? [limit["soft"], limit["hard"]] : [limit, limit];
    return `${name}=${String(soft)}:${String(hard ?? soft)}`;
  });
}

/** `HOST=IP`, `HOST:IP`, or a map; addresses of one host are joined. */
function hostsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  const pairs = isRecord(value)
    ? Object.entries(value).flatMap(([host, one]) =>
        listOf(one).map((address) => [host, String(address ?? "")] as const),
      )
    : listOf(value).map((one) => hostPair(String(one)));
  const hosts: Record<string, string> = {};
  for (const [host, address] of pairs)
    hosts[host] = hosts[host] === undefined ? address : `${hosts[host]},${address}`;
  return pairs.length === 0 ? undefined : hosts;
}

function hostPair(line: string): readonly [string, string] {
  const [, host = line, address = ""] = /^([^=:]+)[=:](.*)$/s.exec(line) ?? [];
  return [host, address];
}
