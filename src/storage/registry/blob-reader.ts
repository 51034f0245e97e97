// Reading one blob: from the first server that has it, going on where a cut connection left off.
import { type Bytes, type Call, type Digest, KilnError } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import { Backoff, type HttpResponse, NetworkFailure } from "../http/index.ts";
import type { EndpointClient } from "./endpoint-client.ts";
import { shownUrl } from "./response-error.ts";
import { unreachable } from "./unreachable.ts";

/** Bytes that must have come through for a cut not to count as a failure to get on. */
const muchProgress = 64 * 1024;

/** True when the server says that it has the blob. */
export async function hasBlob(
  client: EndpointClient,
  digest: Digest,
  scopes: readonly string[],
  call: Call,
): Promise<boolean> {
  return (await askForBlob(client, digest, scopes, call)) !== undefined;
}

/** How many bytes the server says that the blob has; undefined where it has not got it, or does not say. */
export async function blobSize(
  client: EndpointClient,
  digest: Digest,
  scopes: readonly string[],
  call: Call,
): Promise<number | undefined> {
  const said = (await askForBlob(client, digest, scopes, call))?.headers["content-length"];
  return /^\d{1,15}$/.test(said ?? "") ? Number(said) : undefined;
}

/** The head of the answer; undefined where the server has not got the blob. */
async function askForBlob(
  client: EndpointClient,
  digest: Digest,
  scopes: readonly string[],
  call: Call,
): Promise<HttpResponse | undefined> {
  const doing = `looking for ${shown(client, digest)}`;
  const response = await client.send(
    { method: "HEAD", to: `blobs/${digest}`, scopes, doing },
    call,
  );
  response.discard();
  if (response.status === 200) return response;
  // Who does not know HEAD is asked in vain, as who has not got the blob.
  if ([404, 405, 501].includes(response.status)) return undefined;
  throw await client.failure(response, { method: "HEAD", doing }, call);
}

/** How far a blob has been read, across attempts and servers. */
export interface ReadPosition {
  offset: number;
}

/**
 * The blob's bytes from `position` on, unverified; `position` moves along. Ends early only by throwing. Throws
 * `IMAGE_NOT_FOUND` when the server has not got it. `elsewhere` is where to read instead of among the repository's blobs:
 * credentials do not go to other hosts than the repository's.
 */
export async function* readBlobFrom(
  client: EndpointClient,
  blob: Descriptor,
  position: ReadPosition,
  scopes: readonly string[],
  call: Call,
  elsewhere?: URL,
): Bytes {
  const from = elsewhere ?? `blobs/${blob.digest}`;
  const doing = `reading ${elsewhere ? `blob ${blob.digest} from ${shownUrl(elsewhere)}` : shown(client, blob.digest)}`;
  const backoff = new Backoff(client.limits);
  using _permit = await client.gates.reads.acquire(call);
  for (let reached = position.offset; ; reached = position.offset) {
    const response = await open(
      client,
      blob,
      { from, offset: position.offset, scopes, doing },
      call,
    );
    try {
      yield* advance(response, blob, position, doing, call);
      if (position.offset === blob.size) return;
      throw new NetworkFailure("ECONNRESET", "the answer ended early");
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (position.offset - reached >= muchProgress) backoff.restart();
      if (!(await backoff.afterFailure(error, call)))
        throw unreachable(error, elsewhere?.host ?? client.endpoint.name, doing);
    }
  }
}

async function open(
  client: EndpointClient,
  blob: Descriptor,
  request: {
    readonly from: string | URL;
    readonly offset: number;
    readonly scopes: readonly string[];
    readonly doing: string;
  },
  call: Call,
): Promise<HttpResponse> {
  const { from, offset, scopes, doing } = request;
  const headers: Record<string, string> =
    offset > 0 ? { range: `bytes=${offset}-${blob.size - 1}` } : {};
  const response = await client.send({ method: "GET", to: from, headers, scopes, doing }, call);
  if (response.status !== 200 && response.status !== 206)
    throw await client.failure(response, { method: "GET", doing }, call);
  const problem = mismatch(response, blob, offset);
  if (problem === undefined) return response;
  response.discard();
  throw new KilnError("BLOB_CORRUPT", `${doing}: ${client.endpoint.name} ${problem}`);
}

/** What in the answer's head shows that the right bytes cannot follow. */
function mismatch(response: HttpResponse, blob: Descriptor, offset: number): string | undefined {
  const {
    "content-encoding": encoding,
    "content-length": length,
    "content-range": range,
  } = response.headers;
  if (encoding !== undefined && encoding !== "identity")
    return `sends it encoded as ${JSON.stringify(encoding.slice(0, 40))}`;
  if (response.status === 206) {
    const start = /^bytes (\d+)-/.exec(String(range))?.[1];
    return Number(start) === offset ? undefined : "sends another part than was asked for";
  }
  if (length === undefined || Number(length) === blob.size) return undefined;
  return `has ${length} bytes where ${blob.size} were promised`;
}

async function* advance(
  response: HttpResponse,
  blob: Descriptor,
  position: ReadPosition,
  doing: string,
  call: Call,
): Bytes {
  // A server that does not know ranges sends everything again.
  let skip = response.status === 200 ? position.offset : 0;
  for await (const chunk of response.body(call)) {
    if (skip >= chunk.length) {
      skip -= chunk.length;
      continue;
    }
    const fresh = skip > 0 ? chunk.subarray(skip) : chunk;
    skip = 0;
    if (position.offset + fresh.length > blob.size)
      throw new KilnError("BLOB_CORRUPT", `${doing}: more than the promised ${blob.size} bytes`);
    position.offset += fresh.length;
    yield fresh;
  }
}

function shown({ endpoint }: EndpointClient, digest: Digest): string {
  return `blob ${digest} of ${endpoint.name}/${endpoint.repository}`;
}
