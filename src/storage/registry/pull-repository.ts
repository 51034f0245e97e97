// One repository for pulling: mirrors first, the registry itself as the last resort.
import {
  type Bytes,
  type Call,
  type Digest,
  isKilnError,
  KilnError,
  verified,
} from "../../base/index.ts";
import { type Descriptor, isForeignLayerType } from "../../formats/oci/index.ts";
import { blobSize, hasBlob, type ReadPosition, readBlobFrom } from "./blob-reader.ts";
import type { EndpointClient } from "./endpoint-client.ts";
import { maxLayerUrls, mirrorRest } from "./limits.ts";
import { readManifest, resolveManifest, writeManifest } from "./manifests.ts";
import type { PullRepository } from "./registry.ts";

/** Who can be asked for a repository. */
export interface Servers {
  /** For messages. */
  readonly repository: string;
  readonly mirrors: readonly EndpointClient[];
  readonly origin: EndpointClient;
  /** The origin with little patience, for what is read from other places that it named. */
  readonly elsewhere: EndpointClient;
}

/** Documents that looking them up has brought along are kept for who reads them next; at most this many. */
const keptDocuments = 8;

export function createPullRepository(servers: Servers): PullRepository {
  const documents = new Map<Digest, Uint8Array>();
  const scopes = (client: EndpointClient) => [client.scope("pull")];
  return {
    async resolve(reference, call) {
      const ask = (client: EndpointClient) =>
        resolveManifest(client, reference, scopes(client), call);
      const found = await firstAnswer(servers, ask, call);
      if (found?.data) keepLatest(documents, found.descriptor.digest, found.data);
      return found?.descriptor;
    },
    async readManifest(descriptor, call) {
      const kept = documents.get(descriptor.digest);
      if (kept && kept.length === descriptor.size) return kept;
      const ask = (client: EndpointClient) =>
        readManifest(client, descriptor, scopes(client), call);
      const data = await firstAnswer(servers, ask, call);
      if (data) return data;
      throw notFound(`manifest ${descriptor.digest}`, servers);
    },
    async has(digest, call) {
      const ask = async (client: EndpointClient) =>
        (await hasBlob(client, digest, scopes(client), call)) || undefined;
      return (await firstAnswer(servers, ask, call)) ?? false;
    },
    blobSize(digest, call) {
      const ask = (client: EndpointClient) => blobSize(client, digest, scopes(client), call);
      return firstAnswer(servers, ask, call);
    },
    read(blob, call) {
      const what = `blob ${blob.digest} of ${servers.repository}`;
      return verified(readFromFirst(servers, blob, call), blob.digest, blob.size, what);
    },
    writeManifest: (descriptor, data, tag, call) =>
      writeManifest(servers.origin, descriptor, data, tag, call),
  };
}

function keepLatest(documents: Map<Digest, Uint8Array>, digest: Digest, data: Uint8Array): void {
  documents.set(digest, data);
  const [oldest] = documents.keys();
  if (documents.size > keptDocuments && oldest !== undefined) documents.delete(oldest);
}

/**
 * The first answer that is one. A mirror that fails is as good as one that has nothing; when the registry itself fails,
 * its failure is thrown, with the mirrors' beside it.
 */
async function firstAnswer<T>(
  { mirrors, origin }: Servers,
  ask: (client: EndpointClient) => Promise<T | undefined>,
  call: Call,
): Promise<T | undefined> {
  const failures: KilnError[] = [];
  for (const mirror of mirrors.filter(isAwake)) {
    try {
      const answer = await ask(mirror);
      if (answer !== undefined) return answer;
    } catch (error) {
      failures.push(passOver(mirror, error, call));
    }
  }
  try {
    return await ask(origin);
  } catch (error) {
    throw withOthers(error, failures);
  }
}

async function* readFromFirst(servers: Servers, blob: Descriptor, call: Call): Bytes {
  const failures: KilnError[] = [];
  const position: ReadPosition = { offset: 0 };
  const readFrom = (client: EndpointClient) =>
    readBlobFrom(client, blob, position, [client.scope("pull")], call);
  for (const url of layerUrls(blob)) {
    try {
      return yield* readBlobFrom(servers.elsewhere, blob, position, [], call, url);
    } catch (error) {
      failures.push(passOver(undefined, error, call));
    }
  }
  for (const mirror of servers.mirrors.filter(isAwake)) {
    try {
      return yield* readFrom(mirror);
    } catch (error) {
      failures.push(passOver(mirror, error, call));
    }
  }
  try {
    yield* readFrom(servers.origin);
  } catch (error) {
    throw withOthers(error, failures);
  }
}

/** Where a foreign layer is to be had: registries need not have it. Other blobs are the repository's own business. */
function layerUrls({ mediaType, urls = [] }: Descriptor): readonly URL[] {
  if (!isForeignLayerType(mediaType)) return [];
  return urls
    .flatMap((text) => (URL.canParse(text) ? [new URL(text)] : []))
    .filter(({ protocol }) => protocol === "https:" || protocol === "http:")
    .slice(0, maxLayerUrls);
}

function isAwake({ gates }: EndpointClient): boolean {
  return gates.restsUntil <= performance.now();
}

/** The failure of a mirror or of another place, to be shown only if the registry fails as well. Throws what is no failure of it. */
function passOver(mirror: EndpointClient | undefined, error: unknown, call: Call): KilnError {
  call.signal.throwIfAborted();
  if (!isKilnError(error)) throw error;
  if (mirror && error.code === "REGISTRY_UNREACHABLE")
    mirror.gates.restsUntil = performance.now() + mirrorRest;
  return error;
}

function withOthers(error: unknown, others: readonly KilnError[]): unknown {
  if (others.length === 0 || !isKilnError(error)) return error;
  return new KilnError(error.code, error.message, {
    cause: error.cause,
    details: error.details,
    others,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

function notFound(what: string, { repository }: Servers): KilnError {
  return new KilnError("IMAGE_NOT_FOUND", `${repository} does not have ${what}`);
}
