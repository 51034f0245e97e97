// One repository for pushing: the registry itself, never a mirror.
import { type Bytes, type Call, KilnError, verified } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import { hasBlob, readBlobFrom } from "./blob-reader.ts";
import { parseRepository } from "./endpoint.ts";
import type { EndpointClient } from "./endpoint-client.ts";
import { maxMountCandidates } from "./limits.ts";
import { readManifest, resolveManifest, writeManifest } from "./manifests.ts";
import type { PushOptions, PushRepository } from "./registry.ts";
import { cancelUpload, mountBlob, type UploadSession, uploadBlob } from "./upload.ts";

/** `repository` is normalised; `client` is for its own host. */
export function createPushRepository(repository: string, client: EndpointClient): PushRepository {
  const scopes = [client.scope("pull,push")];
  const push = (blob: Descriptor, data: () => Bytes, options: PushOptions, call: Call) =>
    pushBlob(repository, client, blob, data, options, call);
  return {
    push,
    async write(blob, data, call) {
      await push(blob, data, {}, call);
    },
    has: (digest, call) => hasBlob(client, digest, scopes, call),
    read: (blob, call) =>
      verified(
        readBlobFrom(client, blob, { offset: 0 }, scopes, call),
        blob.digest,
        blob.size,
        `blob ${blob.digest} of ${repository}`,
      ),
    async resolve(reference, call) {
      return (await resolveManifest(client, reference, scopes, call))?.descriptor;
    },
    async readManifest(descriptor, call) {
      const data = await readManifest(client, descriptor, scopes, call);
      if (data) return data;
      throw new KilnError(
        "IMAGE_NOT_FOUND",
        `${repository} does not have manifest ${descriptor.digest}`,
      );
    },
    writeManifest: (descriptor, data, tag, call) =>
      writeManifest(client, descriptor, data, tag, call),
  };
}

async function pushBlob(
  repository: string,
  client: EndpointClient,
  blob: Descriptor,
  data: () => Bytes,
  { mountFrom = [], onProgress }: PushOptions,
  call: Call,
): Promise<"exists" | "mounted" | "uploaded"> {
  if (await hasBlob(client, blob.digest, [client.scope("pull,push")], call)) return "exists";
  const doing = `pushing blob ${blob.digest} to ${repository}`;
  let session: UploadSession | undefined;
  for (const from of mountCandidates(repository, mountFrom)) {
    if (session) await cancelUpload(client, session, doing, call);
    const outcome = await mountBlob(client, blob, from, doing, call);
    if (outcome === "mounted") return "mounted";
    session = outcome;
  }
  const progress = (sent: number) => onProgress?.(sent, blob.size);
  using _permit = await client.gates.writes.acquire(call);
  await uploadBlob(client, { blob, data, onProgress: progress, session, doing }, call);
  return "uploaded";
}

/** Paths of other repositories on the same host. */
function mountCandidates(repository: string, mountFrom: readonly string[]): readonly string[] {
  const { host, path } = parseRepository(repository);
  const paths = mountFrom
    .map(parseRepository)
    .filter((other) => other.host === host && other.path !== path)
    .map((other) => other.path);
  return [...new Set(paths)].slice(0, maxMountCandidates);
}
