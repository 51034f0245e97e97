// `.dockerbuild` files: records with their files as an OCI layout in a gzipped tar, as buildx writes and reads them.
import type { BuildHistory, BuildRecord, RecordedBlob } from "../../api/index.ts";
import {
  type Bytes,
  type Call,
  type Digest,
  digestHex,
  digestOf,
  isDigest,
  isRecord,
  KilnError,
  readAll,
} from "../../base/index.ts";
import {
  decompress,
  encodeTarHeader,
  gzip,
  type TarHeader,
  tarEnd,
  tarEntries,
  tarPadding,
} from "../../formats/archive/index.ts";
import { blobsOf } from "./record-files.ts";
import { recordFromJson, recordToJson } from "./record-json.ts";

const indexType = "application/vnd.oci.image.index.v1+json";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const recordType = "application/vnd.buildkit.historyrecord.v0";
/** Results keep their media type here, so that nobody looks for what they name. */
const keptTypeKey = "vnd.export-build.descriptor.mediatype";
const referenceKey = "vnd.buildkit.history.reference";

/** Bounds of a bundle that is read: files, bytes of one, and bytes of all. */
const maxFiles = 50_000;
const maxFile = 64 << 20;
const maxBundle = 1 << 30;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A record and the history that has its files. */
export interface BundledRecord {
  readonly record: BuildRecord;
  readonly history: BuildHistory;
  /** `linux/amd64`: what the builder builds for when nothing is said. */
  readonly defaultPlatform: string;
}

/** Writes the records as one bundle. Files that the histories no longer have are left out. */
export function writeBundle(records: readonly BundledRecord[], call: Call): Bytes {
  return gzip(layout(records, call));
}

async function* layout(records: readonly BundledRecord[], call: Call): Bytes {
  const written = new Set<Digest>();
  const write = async function* (data: Uint8Array): Bytes {
    const digest = digestOf(data);
    if (written.has(digest)) return;
    written.add(digest);
    yield* tarFile(`blobs/sha256/${digestHex(digest)}`, data);
  };
  for (const path of ["blobs", "blobs/sha256"]) yield encodeTarHeader(header(path, 0, "directory"));
  const manifests: Descriptor[] = [];
  for (const one of records) {
    const layers: Descriptor[] = [];
    for (const blob of new Set(blobsOf(one.record))) {
      const found = await one.history.blob(blob.digest, call);
      if (!found) continue;
      yield* write(await readAll(found.data, maxFile, `the file ${blob.digest}`));
      layers.push(layerOf(blob, one.record));
    }
    const config = jsonBlob(recordType, recordToJson(one.record, one.defaultPlatform));
    yield* write(config.data);
    const document = {
      schemaVersion: 2,
      mediaType: manifestType,
      config: config.descriptor,
      layers,
    };
    const manifest = jsonBlob(manifestType, document);
    yield* write(manifest.data);
    const annotations = { [referenceKey]: one.record.ref };
    manifests.push(
      records.length === 1 ? manifest.descriptor : { ...manifest.descriptor, annotations },
    );
  }
  const index = jsonBlob(indexType, { schemaVersion: 2, mediaType: indexType, manifests });
  // One record stands by itself; several stand behind an index.
  if (records.length !== 1) yield* write(index.data);
  const entries = records.length === 1 ? manifests : [index.descriptor];
  const text = new TextEncoder();
  yield* tarFile(
    "index.json",
    text.encode(JSON.stringify({ schemaVersion: 2, manifests: entries })),
  );
  yield* tarFile("oci-layout", text.encode(JSON.stringify({ imageLayoutVersion: "1.0.0" })));
  yield tarEnd;
}

function layerOf(blob: RecordedBlob, { results = {} }: BuildRecord): Descriptor {
  const { mediaType, digest, size, annotations } = blob;
  const notes = annotations ? { annotations } : {};
  const isResult = Object.values(results).some((one) => one.results.includes(blob));
  if (!isResult) return { mediaType, digest, size, ...notes };
  return {
    mediaType: "application/json",
    digest,
    size,
    annotations: { ...annotations, [keptTypeKey]: mediaType },
  };
}

function jsonBlob(
  mediaType: string,
  document: unknown,
): { readonly descriptor: Descriptor; readonly data: Uint8Array } {
  const data = new TextEncoder().encode(JSON.stringify(document, undefined, 2));
  return { descriptor: { mediaType, digest: digestOf(data), size: data.length }, data };
}

async function* tarFile(path: string, data: Uint8Array): Bytes {
  yield encodeTarHeader(header(path, data.length, "file"));
  yield data;
  yield new Uint8Array(tarPadding(data.length));
}

function header(path: string, size: number, type: "file" | "directory"): TarHeader {
  const mode = type === "file" ? 0o444 : 0o755;
  return { path, type, mode, uid: 0, gid: 0, size, mtime: 0n };
}

/** A record of a bundle with its files, each checked against its digest. */
export interface ReadRecord {
  readonly record: BuildRecord;
  readonly files: ReadonlyMap<Digest, Uint8Array>;
}

/** Reads a bundle. Throws `ARCHIVE_INVALID` for what is none, or lies about its contents. */
export async function readBundle(
  data: Bytes,
  what: string,
  call: Call,
): Promise<readonly ReadRecord[]> {
  const files = await readLayout(data, what, call);
  const invalid = (why: string) =>
    new KilnError("ARCHIVE_INVALID", `${what} is no bundle of build records: ${why}`);
  const index = files.get("index.json");
  if (!index) throw invalid("it has no index.json");
  const blob = (digest: unknown): Uint8Array | undefined => {
    if (typeof digest !== "string" || !isDigest(digest)) throw invalid("a digest is missing");
    return files.get(`blobs/${digest.replace(":", "/")}`);
  };
  const parse = (bytes: Uint8Array): Readonly<Record<string, unknown>> => {
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      if (isRecord(value)) return value;
    } catch {
      // Told below.
    }
    throw invalid("a document is no JSON object");
  };
  const entriesOf = (document: Readonly<Record<string, unknown>>) => {
    const list = document["manifests"];
    return Array.isArray(list) ? list.filter(isRecord) : [];
  };
  const records: ReadRecord[] = [];
  const visit = (entry: Readonly<Record<string, unknown>>, depth: number): void => {
    const found = blob(entry["digest"]);
    if (!found) throw invalid(`${entry["digest"]} is missing`);
    const document = parse(found);
    if (entry["mediaType"] === indexType) {
      if (depth > 1) throw invalid("its indexes are nested too deep");
      for (const one of entriesOf(document)) visit(one, depth + 1);
      return;
    }
    const config = document["config"];
    if (!isRecord(config) || config["mediaType"] !== recordType) return;
    const written = blob(config["digest"]);
    const record = written && recordFromJson(parse(written));
    if (!record) throw invalid("a record cannot be read");
    const own = new Map<Digest, Uint8Array>();
    for (const { digest } of blobsOf(record)) {
      const one = blob(digest);
      if (one) own.set(digest, one);
    }
    records.push({ record, files: own });
  };
  for (const entry of entriesOf(parse(index))) visit(entry, 0);
  if (records.length === 0) throw invalid("it has no record");
  return records;
}

/** Files by path; blobs are what their names say. */
async function readLayout(
  data: Bytes,
  what: string,
  call: Call,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const limits = { entries: maxFiles, bytes: maxBundle };
  for await (const entry of tarEntries(decompress(data, what), call, limits)) {
    if (entry.header.type !== "file") continue;
    const bytes = await readAll(entry.data, maxFile, `${what}: ${entry.header.path}`);
    const path = entry.header.path.replace(/^\.\//, "");
    const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
    if (named !== undefined && digestHex(digestOf(bytes)) !== named)
      throw new KilnError(
        "ARCHIVE_INVALID",
        `${what}: ${path} has other contents than its name says`,
      );
    files.set(path, bytes);
  }
  return files;
}
