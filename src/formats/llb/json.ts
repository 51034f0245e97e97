// A definition as JSON, in the words of BuildKit's own dumps: for people and for `frontend.convertllb`.
import { type Json, sortedRecord } from "../../base/index.ts";
import { pb } from "../proto/index.ts";
import type { Definition } from "./definition.ts";
import { toMetadataMessage, toSourceMessage } from "./wire.ts";

/** What `frontend.convertllb` 0.1.0 answers: ops and what is said of them by digest, and where they were written. */
export interface DefinitionJson {
  readonly def: Readonly<Record<string, Json>>;
  readonly metadata: Readonly<Record<string, Json>>;
  readonly source: Json;
}

/** All of the definition; fields without a value are left out, bytes are base64. */
export function definitionJson(definition: Definition): DefinitionJson {
  const byDigest = (
    json: (op: Definition["ops"][number]) => unknown,
  ): Readonly<Record<string, Json>> =>
    sortedRecord(
      Object.fromEntries(definition.ops.map((op) => [op.digest, toJson(json(op)) ?? {}])),
    );
  return {
    def: byDigest(({ bytes }) => pb.Op.decode(bytes)),
    metadata: byDigest(({ metadata }) => toMetadataMessage(metadata)),
    source: toJson(toSourceMessage(definition.locations ?? new Map())) ?? {},
  };
}

// Names that the generated code changes, and oneofs, which Go names after the field.
const names: Readonly<Record<string, string>> = {
  op: "Op",
  action: "Action",
  proxyEnv: "proxy_env",
  httpProxy: "http_proxy",
  httpsProxy: "https_proxy",
  ftpProxy: "ftp_proxy",
  noProxy: "no_proxy",
  allProxy: "all_proxy",
  includePatterns: "include_patterns",
  excludePatterns: "exclude_patterns",
  requiredPaths: "required_paths",
  ignoreCache: "ignore_cache",
  exportCache: "export_cache",
  progressGroup: "progress_group",
  linuxResources: "linux_resources",
  memorySwap: "memory_swap",
  cpuShares: "cpu_shares",
  cpuPeriod: "cpu_period",
  cpuQuota: "cpu_quota",
  cpusetCpus: "cpuset_cpus",
  cpusetMems: "cpuset_mems",
};

/** Undefined for what Go leaves out: zeroes and empty things. A message without fields is not empty. */
function toJson(value: unknown): Json | undefined {
  if (value instanceof Uint8Array) return value.length === 0 ? undefined : toBase64(value);
  if (value instanceof Map) {
    const entries = [...value].map(([key, one]): [string, Json] => [
      String(key),
      toJson(one) ?? zeroOf(one),
    ]);
    return entries.length === 0 ? undefined : sortedRecord(Object.fromEntries(entries));
  }
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map((one) => toJson(one) ?? zeroOf(one));
  if (typeof value === "object" && value !== null) return objectJson(value);
  return value === "" || value === 0 || value === false ? undefined : (value as Json | undefined);
}

function objectJson(value: object): Json {
  const found: Record<string, Json> = {};
  if ("$case" in value && "value" in value) {
    found[String(value.$case)] = toJson(value.value) ?? zeroOf(value.value);
    return found;
  }
  // Go writes a file action's indexes whatever they are.
  const isAction = "secondaryInput" in value;
  for (const [name, member] of Object.entries(value)) {
    const json =
      name === "timestamp"
        ? Number(member)
        : isAction && typeof member === "number"
          ? member
          : toJson(member);
    const isUserChoice =
      name === "user" && typeof member === "object" && member !== null && "$case" in member;
    if (json !== undefined) found[isUserChoice ? "User" : (names[name] ?? name)] = json;
  }
  return found;
}

function zeroOf(value: unknown): Json {
  return typeof value === "object" ? {} : (value as Json);
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** One marshalled op in the same words without its inputs, which are beside it. Throws for what is no op. */
export function opJson(bytes: Uint8Array): {
  readonly op: Json;
  readonly inputs: readonly { readonly digest: string; readonly index: number }[];
} {
  const { inputs, ...op } = pb.Op.decode(bytes);
  // What only points at the result has an empty op.
  const { Op = {}, ...about } = (toJson(op) ?? {}) as Record<string, Json>;
  return {
    op: { Op, ...about },
    inputs: inputs.map(({ digest, index }) => ({ digest, index })),
  };
}
