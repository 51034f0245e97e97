// All that a record tells of its build, under buildx's names: for `history inspect` in every format.
import type { Attrs } from "../../../api/index.ts";
import { type Call, isRecord, readAll } from "../../../base/index.ts";
import { decodeStatus } from "../../../remote/client/index.ts";
import { type Attachment, attachmentsOf, namedAttachments } from "./attachments.ts";
import { buildName, buildPlaces, statusWord } from "./facts.ts";
import type { FoundRecord } from "./records.ts";

export interface NamedValue {
  readonly Name: string;
  readonly Value: string;
}

export interface Material {
  readonly URI: string;
  readonly Digests: readonly string[];
}

export interface BuildFailure {
  readonly Code: number;
  readonly Message: string;
  /** Of the step that failed. */
  readonly Name?: string;
  readonly Logs?: readonly string[];
}

/** Keys are absent where there is nothing to say, as buildx leaves them out. Times are RFC 3339, durations nanoseconds. */
export interface BuildDetails {
  readonly Name?: string;
  readonly Ref: string;
  readonly Context?: string;
  readonly Dockerfile?: string;
  readonly VCSRepository?: string;
  readonly VCSRevision?: string;
  readonly Target?: string;
  readonly Platform?: readonly string[];
  readonly KeepGitDir?: boolean;
  readonly NamedContexts?: readonly NamedValue[];
  readonly StartedAt: string;
  readonly CompletedAt?: string;
  readonly Duration: number;
  readonly Status: string;
  readonly Error?: BuildFailure;
  readonly NumCompletedSteps: number;
  readonly NumTotalSteps: number;
  readonly NumCachedSteps: number;
  readonly BuildArgs?: readonly NamedValue[];
  readonly Labels?: readonly NamedValue[];
  readonly Config?: Readonly<Record<string, unknown>>;
  readonly Materials?: readonly Material[];
  readonly Attachments?: readonly Attachment[];
}

const provenancePrefix = "https://slsa.dev/provenance/";
/** Bytes of provenance that are read to list materials. */
const maxProvenance = 16 << 20;
/** Lines of a failed step that are told with its error. */
const errorLines = 20;

export async function readDetails(
  found: FoundRecord,
  { now, cwd }: { readonly now: Date; readonly cwd: string },
  call: Call,
): Promise<BuildDetails> {
  const { record, origin } = found;
  const { attrs, completedAt } = record;
  const places = buildPlaces(attrs, origin, cwd);
  const text = (key: string, value: string | undefined) => (value ? { [key]: value } : {});
  const list = (key: string, values: readonly unknown[]) =>
    values.length === 0 ? {} : { [key]: values };
  const config = configOf(attrs);
  const failure = record.error && (await failureOf(found, call));
  return {
    ...text("Name", buildName(attrs, origin)),
    Ref: record.ref,
    ...text("Context", places.context),
    ...text("Dockerfile", places.dockerfile),
    ...text("VCSRepository", attrs["vcs:source"]),
    ...text("VCSRevision", attrs["vcs:revision"]),
    ...text("Target", attrs["target"]),
    ...list("Platform", (attrs["platform"] ?? "").split(",").filter(Boolean)),
    ...(isTrue(attrs["build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR"]) ? { KeepGitDir: true } : {}),
    ...list("NamedContexts", named(attrs, "context:")),
    StartedAt: record.createdAt.toISOString(),
    ...(completedAt ? { CompletedAt: completedAt.toISOString() } : {}),
    Duration: ((completedAt ?? now).getTime() - record.createdAt.getTime()) * 1_000_000,
    Status: statusWord(record).toLowerCase(),
    ...(failure ? { Error: failure } : {}),
    NumCompletedSteps: record.completedSteps,
    NumTotalSteps: record.totalSteps,
    NumCachedSteps: record.cachedSteps,
    ...list("BuildArgs", named(attrs, "build-arg:")),
    ...list("Labels", named(attrs, "label:")),
    ...(Object.keys(config).length > 0 ? { Config: config } : {}),
    ...list("Materials", await materialsOf(found, call)),
    ...list(
      "Attachments",
      (await attachmentsOf(found, call)).map(({ blob: _, ...one }) => one),
    ),
  } as BuildDetails;
}

/** Settings of the build arguments' name that configure the frontend, by their field. */
const configArgs: Readonly<Record<string, string>> = {
  BUILDKIT_CACHE_MOUNT_NS: "CacheMountNS",
  BUILDKIT_DOCKERFILE_CHECK: "DockerfileCheckConfig",
  SOURCE_DATE_EPOCH: "SourceDateEpoch",
  BUILDKIT_SANDBOX_HOSTNAME: "SandboxHostname",
};
const configAttrs: Readonly<Record<string, string>> = {
  "force-network-mode": "Network",
  hostname: "Hostname",
  "cgroup-parent": "CgroupParent",
  "image-resolve-mode": "ImageResolveMode",
};
/** Attributes that are told elsewhere, or are of no interest to people. */
const told =
  /^(context|filename|target|platform|no-cache|add-hosts|multi-platform|shm-size|ulimit|source|cmdline|frontend\..*|cache-imports|(vcs|context|build-arg|label|local-sessionid|attest|input|input-metadata):.*)$/;

function configOf(attrs: Attrs): Readonly<Record<string, unknown>> {
  const config: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(configAttrs))
    if (attrs[name]) config[field] = attrs[name];
  for (const [name, field] of Object.entries(configArgs))
    if (attrs[`build-arg:${name}`]) config[field] = attrs[`build-arg:${name}`];
  const { "add-hosts": hosts, "no-cache": noCache, "shm-size": shm, ulimit } = attrs;
  if (hosts) config["ExtraHosts"] = hosts.split(",");
  if (isTrue(attrs["multi-platform"])) config["MultiPlatform"] = true;
  if (noCache === "") config["NoCache"] = true;
  if (noCache) config["NoCacheFilter"] = noCache.split(",");
  if (shm && /^\d+$/.test(shm)) config["ShmSize"] = Number(shm);
  if (ulimit) config["Ulimit"] = ulimit.split(",");
  const rest = Object.entries(attrs).filter(([key]) => !told.test(key) && !(key in configAttrs));
  if (rest.length > 0) config["RestRaw"] = rest.map(([Name, Value]) => ({ Name, Value }));
  return config;
}

function named(attrs: Attrs, prefix: string): readonly NamedValue[] {
  return Object.entries(attrs)
    .filter(([key]) => key.startsWith(prefix) && !(key.slice(prefix.length) in configArgs))
    .map(([key, Value]) => ({ Name: key.slice(prefix.length), Value }))
    .sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

function isTrue(text: string | undefined): boolean {
  return text === "1" || text === "true";
}

/** The error, with the last words of the step that it is of. */
async function failureOf({ record, history }: FoundRecord, call: Call): Promise<BuildFailure> {
  const { code = 2, message = "" } = record.error ?? {};
  const failure = { Code: code, Message: message };
  const lines = new Map<string, string>();
  let failed: { readonly digest: string; readonly name: string } | undefined;
  const status = history.status(record.ref, call);
  if (!status) return failure;
  const text = new TextDecoder();
  for await (const { vertexes, logs } of decodeStatus(status)) {
    for (const { vertex, msg } of logs) {
      const words = (lines.get(vertex) ?? "") + text.decode(msg);
      lines.set(vertex, words.slice(-64_000));
    }
    for (const { digest, name, error } of vertexes)
      if (error !== "" && !/context canceled/.test(error)) failed ??= { digest, name };
  }
  if (!failed) return failure;
  const said = (lines.get(failed.digest) ?? "").split("\n").filter((line) => line !== "");
  return {
    ...failure,
    Name: failed.name,
    ...(said.length > 0 ? { Logs: said.slice(-errorLines) } : {}),
  };
}

/** What went into the build, as its provenance tells in either version. */
async function materialsOf(
  { record, history }: FoundRecord,
  call: Call,
): Promise<readonly Material[]> {
  const materials = new Map<string, Material>();
  for (const { Type, blob } of namedAttachments(record)) {
    if (!Type.startsWith(provenancePrefix)) continue;
    const found = await history.blob(blob.digest, call);
    if (!found || found.size > maxProvenance) continue;
    const data = await readAll(found.data, maxProvenance, "provenance");
    for (const one of dependencies(data)) materials.set(one.URI, one);
  }
  return [...materials.values()];
}

function dependencies(data: Uint8Array): readonly Material[] {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(data));
  } catch {
    return [];
  }
  const predicate = isRecord(document) ? document : {};
  const definition = predicate["buildDefinition"];
  const list = isRecord(definition) ? definition["resolvedDependencies"] : predicate["materials"];
  return (Array.isArray(list) ? list : []).filter(isRecord).map(({ uri, digest }) => ({
    URI: String(uri ?? ""),
    Digests: Object.entries(isRecord(digest) ? digest : {}).map(([name, hex]) => `${name}:${hex}`),
  }));
}
