// One repository for pulling: mirrors first, the registry itself as the last resort.
import {
  type Bytes,
  type Call,
  type Digest,
  isKilnError,
  KilnError,
  verified,
} from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import { hasBlob, type ReadPosition, readBlobFrom } from "./blob-reader.ts";
import type { EndpointClient } from "./endpoint-client.ts";
import { readManifest, resolveManifest, writeManifest } from "./manifests.ts";
import type { PullRepository } from "./registry.ts";

/** Documents that looking them up has brought along are kept for who reads them next; at most this many. */
const keptDocuments = 8;

/** `clients`: mirrors in order, the registry last; at least one. `repository` is for messages. */
export function createPullRepository(
  repository: string,
  clients: readonly EndpointClient[],
): PullRepository {
  const documents = new Map<Digest, Uint8Array>();
  const scopes = (client: EndpointClient) => [client.scope("pull")];
  const keep = (digest: Digest, data: Uint8Array) => {
    documents.set(digest, data);
    for (const oldest of documents.keys())
      if (documents.size > keptDocuments) documents.delete(oldest);
  };
  return {
    async resolve(reference, call) {
      const found = await firstAnswer(
        clients,
        (client) => resolveManifest(client, reference, scopes(client), call),
        call,
      );
      if (found?.data) keep(found.descriptor.digest, found.data);
      return found?.descriptor;
    },
    async readManifest(descriptor, call) {
      const kept = documents.get(descriptor.digest);
      if (kept && kept.length === descriptor.size) return kept;
      const data = await firstAnswer(
        clients,
        (client) => readManifest(client, descriptor, scopes(client), call),
        call,
      );
      if (data) return data;
      throw notFound(`manifest ${descriptor.digest}`, repository);
    },
    async has(digest, call) {
      const found = await firstAnswer(
        clients,
        async (client) => (await hasBlob(client, digest, scopes(client), call)) || undefined,
        call,
      );
      return found ?? false;
    },
    read: (blob, call) =>
      verified(
        readFromFirst(repository, clients, blob, call),
        blob.digest,
        blob.size,
        shown(blob, repository),
      ),
    writeManifest: (descriptor, data, tag, call) => {
      const origin = clients.at(-1);
      if (!origin) throw new Error("a repository without a server");
      return writeManifest(origin, descriptor, data, tag, call);
    },
  };
}

/**
 * The first answer that is one. A mirror that fails is as good as one that has nothing; when the registry itself fails,
 * its failure is thrown, with the mirrors' beside it.
 */
async function firstAnswer<T>(
  clients: readonly EndpointClient[],
  ask: (client: EndpointClient) => Promise<T | undefined>,
  call: Call,
): Promise<T | undefined> {
  const failures: KilnError[] = [];
  for (const client of clients) {
    try {
      const answer = await ask(client);
      if (answer !== undefined) return answer;
    } catch (error) {
      call.signal.throwIfAborted();
      if (!isKilnError(error)) throw error;
      if (client === clients.at(-1)) throw withOthers(error, failures);
      failures.push(error);
    }
  }
  return undefined;
}

async function* readFromFirst(
  repository: string,
  clients: readonly EndpointClient[],
  blob: Descriptor,
  call: Call,
): Bytes {
  const failures: KilnError[] = [];
  const position: ReadPosition = { offset: 0 };
  for (const client of clients) {
    try {
      yield* readBlobFrom(client, blob, position, [client.scope("pull")], call);
      return;
    } catch (error) {
      call.signal.throwIfAborted();
      if (!isKilnError(error)) throw error;
      if (client === clients.at(-1)) {
        if (error.code === "IMAGE_NOT_FOUND" && failures.length === 0)
          throw notFound(shown(blob, repository), repository);
        throw withOthers(error, failures);
      }
      failures.push(error);
    }
  }
}

function withOthers(error: KilnError, others: readonly KilnError[]): KilnError {
  if (others.length === 0) return error;
  return new KilnError(error.code, error.message, {
    cause: error.cause,
    details: error.details,
    others,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

function shown({ digest }: Descriptor, repository: string): string {
  return `blob ${digest} of ${repository}`;
}

function notFound(what: string, repository: string): KilnError {
  return new KilnError("IMAGE_NOT_FOUND", `${repository} does not have ${what}`);
}
