// Reading and writing the image configuration (config.md) with Docker's extensions.
import { goJson, sortedRecord } from "../../base/index.ts";
import {
  booleanField,
  defined,
  digestOrThrow,
  type Fields,
  fieldsOf,
  integerField,
  invalid,
  listField,
  rawField,
  setField,
  stringField,
  stringMapField,
  stringsField,
} from "./fields.ts";
import { documentFields, maxLayers } from "./manifest.ts";
import type {
  ContainerConfig,
  HealthConfig,
  HistoryEntry,
  ImageConfig,
  Platform,
} from "./types.ts";

/** Largest configuration that is read, in bytes. */
export const maxConfigSize: number = 8 * 1024 * 1024;
const maxHistory = 4096;

/**
 * Reads an image configuration. Members that neither OCI nor Docker's current form knows are dropped, as the reference
 * drops them; null counts as absent. Throws `IMAGE_INVALID`.
 */
export function parseImageConfig(data: Uint8Array): ImageConfig {
  const fields = documentFields(data, "image configuration", maxConfigSize);
  const config = rawField(fields, "config");
  const features = stringsField(fields, "os.features");
  return defined<ImageConfig>({
    created: goTime(stringField(fields, "created")),
    author: stringField(fields, "author") || undefined,
    architecture: stringField(fields, "architecture") ?? "",
    os: stringField(fields, "os") ?? "",
    variant: stringField(fields, "variant") || undefined,
    "os.version": stringField(fields, "os.version") || undefined,
    "os.features": features?.length ? features : undefined,
    config:
      config === undefined
        ? undefined
        : readContainerConfig(fieldsOf(config, `${fields.what}: config`)),
    rootfs: { type: "layers", diff_ids: readDiffIds(fields) },
    history: readHistory(fields),
  });
}

/**
 * The bytes that the reference exports: top-level members sorted by name, inner ones in Go's order, maps sorted, compact.
 * `extra` adds top-level members that are not the specification's (`moby.buildkit.cache.v0`).
 */
export function serializeImageConfig(
  config: ImageConfig,
  extra: Readonly<Record<string, unknown>> = {},
): Uint8Array {
  const members: Record<string, unknown> = {
    ...extra,
    architecture: config.architecture,
    author: config.author || undefined,
    config: containerConfigJson(config.config ?? {}),
    created: config.created,
    history: config.history?.length ? config.history.map(historyJson) : undefined,
    os: config.os,
    "os.features": config["os.features"]?.length ? config["os.features"] : undefined,
    "os.version": config["os.version"] || undefined,
    rootfs: { type: config.rootfs.type, diff_ids: config.rootfs.diff_ids },
    variant: config.variant || undefined,
  };
  return new TextEncoder().encode(goJson(sortedRecord(members)));
}

/** The platform that a configuration says its image is for. */
export function platformOfConfig(config: ImageConfig): Platform {
  return defined<Platform>({
    os: config.os,
    architecture: config.architecture,
    variant: config.variant || undefined,
    osVersion: config["os.version"] || undefined,
    osFeatures: config["os.features"],
  });
}

/** The container settings with Go's member order: empty ones left out, sets and labels sorted. */
export function containerConfigJson(config: ContainerConfig): Readonly<Record<string, unknown>> {
  return {
    User: config.User || undefined,
    ExposedPorts: nonEmpty(config.ExposedPorts),
    Env: list(config.Env),
    Entrypoint: list(config.Entrypoint),
    Cmd: list(config.Cmd),
    Volumes: nonEmpty(config.Volumes),
    WorkingDir: config.WorkingDir || undefined,
    Labels: nonEmpty(config.Labels),
    StopSignal: config.StopSignal || undefined,
    ArgsEscaped: config.ArgsEscaped || undefined,
    Healthcheck: config.Healthcheck && healthJson(config.Healthcheck),
    OnBuild: list(config.OnBuild),
    Shell: list(config.Shell),
  };
}

function healthJson(health: HealthConfig): Readonly<Record<string, unknown>> {
  return {
    Test: list(health.Test),
    Interval: health.Interval || undefined,
    Timeout: health.Timeout || undefined,
    StartPeriod: health.StartPeriod || undefined,
    StartInterval: health.StartInterval || undefined,
    Retries: health.Retries || undefined,
  };
}

function historyJson(entry: HistoryEntry): Readonly<Record<string, unknown>> {
  return {
    created: entry.created,
    created_by: entry.created_by || undefined,
    author: entry.author || undefined,
    comment: entry.comment || undefined,
    empty_layer: entry.empty_layer || undefined,
  };
}

function list(items: readonly string[] | undefined): readonly string[] | undefined {
  return items?.length ? items : undefined;
}

function nonEmpty<T>(map: Readonly<Record<string, T>> | undefined): Record<string, T> | undefined {
  return map && Object.keys(map).length > 0 ? sortedRecord(map) : undefined;
}

function readContainerConfig(fields: Fields): ContainerConfig {
  const health = rawField(fields, "Healthcheck");
  return defined<ContainerConfig>({
    User: stringField(fields, "User"),
    ExposedPorts: setField(fields, "ExposedPorts"),
    Env: stringsField(fields, "Env"),
    Entrypoint: stringsField(fields, "Entrypoint"),
    Cmd: stringsField(fields, "Cmd"),
    Volumes: setField(fields, "Volumes"),
    WorkingDir: stringField(fields, "WorkingDir"),
    Labels: stringMapField(fields, "Labels"),
    StopSignal: stringField(fields, "StopSignal"),
    ArgsEscaped: booleanField(fields, "ArgsEscaped"),
    Healthcheck:
      health === undefined
        ? undefined
        : readHealth(fieldsOf(health, `${fields.what}: Healthcheck`)),
    OnBuild: stringsField(fields, "OnBuild"),
    Shell: stringsField(fields, "Shell"),
  });
}

function readHealth(fields: Fields): HealthConfig {
  return defined<HealthConfig>({
    Test: stringsField(fields, "Test"),
    Interval: integerField(fields, "Interval"),
    Timeout: integerField(fields, "Timeout"),
    StartPeriod: integerField(fields, "StartPeriod"),
    StartInterval: integerField(fields, "StartInterval"),
    Retries: integerField(fields, "Retries"),
  });
}

function readDiffIds(fields: Fields): ImageConfig["rootfs"]["diff_ids"] {
  const rootfs = rawField(fields, "rootfs");
  if (rootfs === undefined) return [];
  const inner = fieldsOf(rootfs, `${fields.what}: rootfs`);
  const ids = listField(inner, "diff_ids") ?? [];
  if (ids.length > maxLayers) throw invalid(inner.what, `more than ${maxLayers} diff_ids`);
  return ids.map((id, i) => digestOrThrow(id, `${inner.what}: diff_ids ${i + 1}`));
}

function readHistory(fields: Fields): readonly HistoryEntry[] | undefined {
  const history = listField(fields, "history");
  if (history && history.length > maxHistory)
    throw invalid(fields.what, `more than ${maxHistory} history entries`);
  return history?.map((value, i) => {
    const entry = fieldsOf(value, `${fields.what}: history ${i + 1}`);
    return defined<HistoryEntry>({
      created: goTime(stringField(entry, "created")),
      created_by: stringField(entry, "created_by"),
      author: stringField(entry, "author"),
      comment: stringField(entry, "comment"),
      empty_layer: booleanField(entry, "empty_layer"),
    });
  });
}

/** A time as Go writes it back: without trailing zeros of the fraction, and `Z` for no offset. */
function goTime(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match)
    throw invalid("image configuration", `not a time: ${JSON.stringify(text.slice(0, 60))}`);
  const fraction = (match[2] ?? "").replace(/0+$/, "");
  const zone = match[3] === "+00:00" ? "Z" : match[3];
  return `${match[1]}${fraction === "" ? "" : `.${fraction}`}${zone}`;
}
