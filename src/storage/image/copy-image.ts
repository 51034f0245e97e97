// Copying what a name stands for from one repository to another: every blob first, documents after what they lead to.
import { type Call, Limiter, runAll } from "../../base/index.ts";
import {
  type Descriptor,
  type Index,
  isForeignLayerType,
  isIndexType,
  isManifestType,
  type Manifest,
  parseManifestDocument,
} from "../../formats/oci/index.ts";
import type { PullRepository, PushRepository } from "../registry/index.ts";

export interface CopyRequest {
  readonly from: PullRepository;
  readonly to: PushRepository;
  /** Repositories on the target's host that may hold the blobs: normalised names. */
  readonly mountFrom: readonly string[];
  /** Told of every blob and document, once it is there. */
  readonly onCopied?: (descriptor: Descriptor, outcome: CopyOutcome) => void;
}

export type CopyOutcome = "exists" | "mounted" | "uploaded";

/** Blobs under way at once. */
const blobsAtOnce = 6;
/** Indexes within indexes are followed this deep. */
const maxDepth = 4;

/**
 * Copies a manifest or an index with all that it leads to, under its digest: no tag is touched. What is there already is
 * not sent. Foreign layers stay where their URLs say.
 */
export async function copyImage(root: Descriptor, request: CopyRequest, call: Call): Promise<void> {
  await copyTree(
    root,
    { ...request, limiter: new Limiter(blobsAtOnce), seen: new Map() },
    maxDepth,
    call,
  );
}

interface Copying extends CopyRequest {
  readonly limiter: Limiter;
  /** By digest: what several documents share is copied once. */
  readonly seen: Map<string, Promise<void>>;
}

function once(copying: Copying, { digest }: Descriptor, copy: () => Promise<void>): Promise<void> {
  const known = copying.seen.get(digest);
  if (known !== undefined) return known;
  const copied = copy();
  copying.seen.set(digest, copied);
  return copied;
}

function copyTree(
  descriptor: Descriptor,
  copying: Copying,
  depth: number,
  call: Call,
): Promise<void> {
  return once(copying, descriptor, async () => {
    const { from, to, onCopied } = copying;
    // A registry takes a manifest only with its blobs; of an index, the entries may have been deleted since.
    const there =
      isManifestType(descriptor.mediaType) && (await to.resolve(descriptor.digest, call));
    if (there) {
      onCopied?.(descriptor, "exists");
      return;
    }
    const data = await from.readManifest(descriptor, call);
    const document = parseManifestDocument(data, descriptor.mediaType || undefined);
    if (document.kind === "index") await copyEntries(document.index, copying, depth, call);
    else await copyBlobs(document.manifest, copying, call);
    const { mediaType } = document.kind === "index" ? document.index : document.manifest;
    await to.writeManifest(
      { ...descriptor, mediaType: descriptor.mediaType || mediaType },
      data,
      undefined,
      call,
    );
    onCopied?.(descriptor, "uploaded");
  });
}

async function copyEntries(
  { manifests }: Index,
  copying: Copying,
  depth: number,
  call: Call,
): Promise<void> {
  await runAll(
    manifests,
    (entry, c) => {
      const followed =
        depth > 0 && (isManifestType(entry.mediaType) || isIndexType(entry.mediaType));
      return followed ? copyTree(entry, copying, depth - 1, c) : copyBlob(entry, copying, c);
    },
    call,
  );
}

async function copyBlobs(manifest: Manifest, copying: Copying, call: Call): Promise<void> {
  const blobs = [manifest.config, ...manifest.layers].filter(
    ({ mediaType, urls }) => !(isForeignLayerType(mediaType) && urls?.length),
  );
  await runAll(blobs, (blob, c) => copyBlob(blob, copying, c), call);
}

function copyBlob(blob: Descriptor, copying: Copying, call: Call): Promise<void> {
  return once(copying, blob, async () => {
    const { from, to, mountFrom, limiter, onCopied } = copying;
    using _permit = await limiter.acquire(call);
    const outcome = await to.push(blob, () => from.read(blob, call), { mountFrom }, call);
    onCopied?.(blob, outcome);
  });
}
