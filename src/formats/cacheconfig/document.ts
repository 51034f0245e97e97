// BuildKit's cache configuration: records of steps with what leads to them, and chains of layers that they left.
import { type Digest, goJson, isDigest, isRecord, KilnError, parseJson } from "../../base/index.ts";

export const cacheConfigMediaType = "application/vnd.buildkit.cacheconfig.v0";

/** A layer on top of another one of the list. */
export interface CacheLayer {
  readonly blob: Digest;
  /** Index into the layers; -1 for the lowest. */
  readonly parent: number;
  /** Where no manifest says it: caches that are not images. */
  readonly annotations?: CacheLayerAnnotations;
}

export interface CacheLayerAnnotations {
  readonly mediaType: string;
  readonly diffId: Digest;
  /** Bytes. */
  readonly size: number;
  /** RFC 3339. */
  readonly createdAt?: string;
}

/** A result: the layers up to one of the list, or those that are named one by one, oldest first. */
export interface CacheResult {
  readonly layers: { readonly top: number } | { readonly chain: readonly number[] };
  /** RFC 3339; absent where it is not known. */
  readonly createdAt?: string;
}

/** What leads to a record: another record, through a part of its files where `selector` says so. */
export interface CacheInput {
  /** Index into the records. */
  readonly link: number;
  /** Empty for none. */
  readonly selector: string;
}

export interface ConfigRecord {
  readonly digest: Digest;
  /** By input of the step: any one of the links will do. */
  readonly inputs: readonly (readonly CacheInput[])[];
  readonly results: readonly CacheResult[];
}

export interface CacheConfig {
  readonly layers: readonly CacheLayer[];
  readonly records: readonly ConfigRecord[];
}

/** Bytes of the largest document that is read. */
export const maxCacheConfigSize: number = 64 * 1024 * 1024;
const maxRecords = 200_000;
const maxLayers = 200_000;
/** Links and layer indexes of a whole document. */
const maxLinks = 2_000_000;

/** Reads a document from outside. Throws `CACHE_INVALID`. */
export function parseCacheConfig(text: string, what: string): CacheConfig {
  const value = parseJson(text, what);
  if (!isRecord(value)) throw invalid(what, "it is no object");
  return readConfig(value["layers"], value["records"], what);
}

/** The records alone, as an image's own configuration has them; layers are the image's. */
export function parseInlineRecords(
  text: string,
  layers: readonly CacheLayer[],
  what: string,
): CacheConfig {
  const { records } = readConfig(undefined, parseJson(text, what), what, layers);
  return { layers, records };
}

function readConfig(
  layerValues: unknown,
  recordValues: unknown,
  what: string,
  known?: readonly CacheLayer[],
): CacheConfig {
  const rawLayers = list(layerValues, what, maxLayers);
  const layers = known ?? rawLayers.map((one, i) => readLayer(one, i, rawLayers.length, what));
  const rawRecords = list(recordValues, what, maxRecords);
  let links = 0;
  const count = () => {
    if (++links > maxLinks) throw invalid(what, `it has more than ${maxLinks} links`);
  };
  const size = { layers: layers.length, records: rawRecords.length, count };
  return { layers, records: rawRecords.map((one) => readRecord(one, size, what)) };
}

function readLayer(value: unknown, at: number, count: number, what: string): CacheLayer {
  if (!isRecord(value)) throw invalid(what, `layer ${at} is no object`);
  const { blob, parent = 0, annotations } = value;
  if (typeof blob !== "string" || !isDigest(blob)) throw invalid(what, `layer ${at} has no blob`);
  const below = index(parent, -1, count, what);
  const read = isRecord(annotations) ? readAnnotations(annotations) : undefined;
  return { blob, parent: below, ...(read ? { annotations: read } : {}) };
}

function readAnnotations(value: Readonly<Record<string, unknown>>) {
  const { mediaType, diffID, size, createdAt } = value;
  if (typeof mediaType !== "string" || typeof diffID !== "string" || !isDigest(diffID)) return;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return;
  return { mediaType, diffId: diffID, size, ...time(createdAt) };
}

interface Sizes {
  readonly layers: number;
  readonly records: number;
  readonly count: () => void;
}

function readRecord(value: unknown, size: Sizes, what: string): ConfigRecord {
  if (!isRecord(value)) throw invalid(what, "a record is no object");
  const { digest } = value;
  if (typeof digest !== "string" || !isDigest(digest))
    throw invalid(what, "a record has no digest");
  const objects = (values: unknown) =>
    list(values, what, maxLinks).filter((one) => {
      size.count();
      return isRecord(one);
    }) as Readonly<Record<string, unknown>>[];
  const inputs = list(value["inputs"], what, maxLinks).map((one) =>
    objects(one).map(({ link = 0, selector = "" }) => ({
      link: index(link, 0, size.records, what),
      selector: typeof selector === "string" ? selector : "",
    })),
  );
  const tops = objects(value["layers"]).map(
    ({ layer = 0, createdAt }): CacheResult => ({
      layers: { top: index(layer, 0, size.layers, what) },
      ...time(createdAt),
    }),
  );
  const chains = objects(value["chains"]).map(({ layers, createdAt }): CacheResult => {
    const chain = list(layers, what, maxLinks).map((one) => {
      size.count();
      return index(one, 0, size.layers, what);
    });
    return { layers: { chain }, ...time(createdAt) };
  });
  return { digest, inputs, results: [...tops, ...chains] };
}

function list(value: unknown, what: string, most: number): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > most)
    throw invalid(what, "a list is none, or too long");
  return value;
}

function index(value: unknown, from: number, count: number, what: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= from && value < count)
    return value;
  throw invalid(what, "an index points at nothing");
}

/** Go's zero time says nothing. */
function time(value: unknown): { readonly createdAt?: string } {
  if (typeof value !== "string" || value.length > 64 || value.startsWith("0001-")) return {};
  return Number.isNaN(Date.parse(value)) ? {} : { createdAt: value };
}

function invalid(what: string, why: string): KilnError {
  return new KilnError("CACHE_INVALID", `${what} is not a cache configuration: ${why}`);
}

const unknownTime = "0001-01-01T00:00:00Z";

/** The document's bytes; BuildKit reads them. */
export function serializeCacheConfig({ layers, records }: CacheConfig): Uint8Array {
  const document = {
    ...(layers.length === 0 ? {} : { layers: layers.map(layerJson) }),
    ...(records.length === 0 ? {} : { records: records.map(recordJson) }),
  };
  return new TextEncoder().encode(goJson(document));
}

/** The records alone, for an image's configuration. */
export function serializeInlineRecords(records: readonly ConfigRecord[]): Uint8Array {
  return new TextEncoder().encode(goJson(records.map(recordJson)));
}

function layerJson({ blob, parent, annotations }: CacheLayer) {
  const { mediaType, diffId, size, createdAt } = annotations ?? {};
  return {
    blob,
    ...(parent === 0 ? {} : { parent }),
    ...(annotations
      ? { annotations: { mediaType, diffID: diffId, size, createdAt: createdAt ?? unknownTime } }
      : {}),
  };
}

function recordJson({ digest, inputs, results }: ConfigRecord) {
  const tops = results.flatMap(({ layers, createdAt = unknownTime }) =>
    "top" in layers ? [{ layer: layers.top, createdAt }] : [],
  );
  const chains = results.flatMap(({ layers, createdAt = unknownTime }) =>
    "chain" in layers ? [{ layers: layers.chain, createdAt }] : [],
  );
  return {
    ...(tops.length === 0 ? {} : { layers: tops }),
    ...(chains.length === 0 ? {} : { chains }),
    digest,
    ...(inputs.length === 0
      ? {}
      : {
          inputs: inputs.map((links) =>
            links.map(({ link, selector }) => ({ ...(selector ? { selector } : {}), link })),
          ),
        }),
  };
}

/** Oldest first: the indexes of the layers of a result. Throws `CACHE_INVALID` where layers go round in a circle. */
export function layersOf({ layers }: CacheConfig, result: CacheResult): readonly number[] {
  if ("chain" in result.layers) return result.layers.chain;
  const found: number[] = [];
  for (let at = result.layers.top; at !== -1; at = layers[at]?.parent ?? -1) {
    found.push(at);
    if (found.length > layers.length) throw invalid("the cache", "its layers lie on themselves");
  }
  return found.reverse();
}
