// What a record has besides itself, without its log and trace: results, what is said of them, and images of an index.
import type { BuildRecord, RecordedBlob } from "../../../api/index.ts";
import { type Call, readAll } from "../../../base/index.ts";
import { formatPlatform, mediaTypes, parseManifestDocument } from "../../../formats/oci/index.ts";
import type { FoundRecord } from "./records.ts";

/** With buildx's keys. */
export interface Attachment {
  readonly Digest: string;
  readonly Platform?: string;
  readonly Type: string;
}

export interface RecordAttachment extends Attachment {
  readonly blob: RecordedBlob;
}

const predicateKey = "in-toto.io/predicate-type";
/** Bytes of an index that is read to list what is in it. */
const maxIndex = 4 << 20;

/** Those that the record names. */
export function namedAttachments({ results = {} }: BuildRecord): readonly RecordAttachment[] {
  return Object.entries(results).flatMap(([platform, one]) =>
    [...one.results, ...one.attestations].map((blob) => attachment(blob, platform)),
  );
}

/** Also the images of indexes that are named, by platform. */
export async function attachmentsOf(
  { record, history }: Pick<FoundRecord, "record" | "history">,
  call: Call,
): Promise<readonly RecordAttachment[]> {
  const named = namedAttachments(record);
  const all = [...named];
  for (const { blob } of named)
    if (blob.mediaType === mediaTypes.ociIndex || blob.mediaType === mediaTypes.dockerIndex)
      all.push(...(await imagesOf(blob, history, call)));
  return [...new Map(all.map((one) => [one.Digest, one])).values()];
}

function attachment(blob: RecordedBlob, platform: string): RecordAttachment {
  return {
    Digest: blob.digest,
    ...(platform === "" ? {} : { Platform: platform }),
    Type: blob.annotations?.[predicateKey] ?? blob.mediaType,
    blob,
  };
}

/** None where the builder no longer has the index. */
async function imagesOf(
  { digest: index, mediaType: indexType }: RecordedBlob,
  history: FoundRecord["history"],
  call: Call,
): Promise<readonly RecordAttachment[]> {
  const file = await history.blob(index, call);
  if (!file) return [];
  const document = parseManifestDocument(await readAll(file.data, maxIndex, "index"), indexType);
  if (document.kind !== "index") return [];
  return document.index.manifests.flatMap(({ mediaType, digest, size, platform }) =>
    platform && platform.os !== "unknown"
      ? [attachment({ mediaType, digest, size }, formatPlatform(platform))]
      : [],
  );
}
