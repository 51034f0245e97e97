// Writing one blob: mounted from another repository, or sent in one piece, or in several where a server wants that.
import { type Bytes, type Call, isKilnError, KilnError } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import { Backoff, type HttpResponse, NetworkFailure, type RequestBody } from "../http/index.ts";
import { ByteWindow } from "./byte-window.ts";
import type { EndpointClient } from "./endpoint-client.ts";
import { cutsBeforePieces, maxChunkMinimum } from "./limits.ts";
import { unreachable } from "./unreachable.ts";

const lost = new NetworkFailure("ECONNRESET", "the registry has forgotten the upload");

export interface Upload {
  readonly blob: Descriptor;
  readonly data: () => Bytes;
  readonly onProgress: (sent: number) => void;
  /** An upload that the server has already opened, as a mount that was not possible leaves it. */
  readonly session: UploadSession | undefined;
  readonly doing: string;
}

/** An upload that a server has opened. */
export interface UploadSession {
  /** Where the data goes. */
  readonly to: URL;
  /** Smallest piece that the server takes, but for the last, in bytes (`OCI-Chunk-Min-Length`). */
  readonly minChunk: number;
}

/** Answers that mean: this upload is not known (any more), as behind a balancer without common state. */
const forgotten = new Set([404, 416]);
/** Answers that mean: not in one piece. */
const refusesWhole = new Set([405, 411, 413, 415, 501]);

/** Asks for a mount. `mounted`, or an upload that the server has opened instead, or undefined where it only refused. */
export async function mountBlob(
  client: EndpointClient,
  blob: Descriptor,
  from: string,
  doing: string,
  call: Call,
): Promise<"mounted" | UploadSession | undefined> {
  const scopes = [client.scope("pull,push"), `repository:${from}:pull`];
  const query = { mount: blob.digest, from };
  let response: HttpResponse;
  try {
    const request = { method: "POST", to: "blobs/uploads/", query, scopes, doing } as const;
    response = await client.send(request, call);
  } catch (error) {
    // Some token servers refuse all where one of two repositories may not be read: then it is uploaded.
    if (isKilnError(error)) return undefined;
    throw error;
  }
  response.discard();
  if (response.status === 201) return "mounted";
  return response.status === 202 ? sessionOf(response, client, doing) : undefined;
}

/** Opens an upload. Throws `REGISTRY_DENIED` where pushing is not allowed. */
export async function openUpload(
  client: EndpointClient,
  doing: string,
  call: Call,
): Promise<UploadSession> {
  const scopes = [client.scope("pull,push")];
  const response = await client.send({ method: "POST", to: "blobs/uploads/", scopes, doing }, call);
  if (response.status !== 202)
    throw await client.failure(response, { method: "POST", doing }, call);
  response.discard();
  return sessionOf(response, client, doing);
}

function sessionOf(response: HttpResponse, client: EndpointClient, doing: string): UploadSession {
  const said = Number(response.headers["oci-chunk-min-length"] ?? 0);
  const minChunk = Number.isSafeInteger(said) && said > 0 ? Math.min(said, maxChunkMinimum) : 0;
  return { to: locationOf(response, client, doing), minChunk };
}

/** Gives an upload up. Servers that do not know how forget it by themselves. */
export async function cancelUpload(
  client: EndpointClient,
  session: UploadSession,
  doing: string,
  call: Call,
): Promise<void> {
  try {
    const response = await client.send(
      {
        method: "DELETE",
        to: session.to,
        scopes: [client.scope("pull,push")],
        doing,
        retry: false,
      },
      call,
    );
    response.discard();
  } catch {
    call.signal.throwIfAborted();
  }
}

/** Sends the blob; from its beginning again whenever the connection or the server fails half-way. */
export async function uploadBlob(
  client: EndpointClient,
  upload: Upload,
  call: Call,
): Promise<void> {
  const backoff = new Backoff(client.limits);
  let session = upload.session;
  let whole = true;
  let cuts = 0;
  const sending: Upload = {
    ...upload,
    onProgress(sent) {
      backoff.moved();
      upload.onProgress(sent);
    },
  };
  for (;;) {
    // Uploads cannot be gone on with at a later byte: distribution 2.8 has forgotten them after a cut.
    const outcome = await attempt(
      client,
      sending,
      session ?? (await openUpload(client, upload.doing, call)),
      whole,
      call,
    );
    session = undefined;
    if (outcome instanceof NetworkFailure) {
      if (++cuts === cutsBeforePieces) whole = false;
      if (await backoff.afterFailure(outcome, call)) continue;
      throw unreachable(outcome, client.endpoint.name, upload.doing);
    }
    if (outcome.status >= 200 && outcome.status < 300) return outcome.discard();
    if (forgotten.has(outcome.status) && (await backoff.afterFailure(lost, call))) {
      outcome.discard();
      continue;
    }
    if (await backoff.afterStatus(outcome.status, outcome.headers["retry-after"], call))
      outcome.discard();
    else if (whole && refusesWhole.has(outcome.status)) {
      outcome.discard();
      whole = false;
    } else throw await client.failure(outcome, { method: "PUT", doing: upload.doing }, call);
  }
}

async function attempt(
  client: EndpointClient,
  upload: Upload,
  session: UploadSession,
  whole: boolean,
  call: Call,
): Promise<HttpResponse | NetworkFailure> {
  try {
    return await (whole
      ? sendWhole(client, upload, session.to, call)
      : sendPieces(client, upload, session, call));
  } catch (error) {
    if (error instanceof NetworkFailure) return error;
    throw error;
  }
}

/** POST has been; one PUT with everything (distribution-spec, "POST then PUT"). */
function sendWhole(
  client: EndpointClient,
  { blob, data, onProgress, doing }: Upload,
  session: URL,
  call: Call,
): Promise<HttpResponse> {
  const open = () => counted(data(), 0, onProgress);
  return put(client, session, blob, { size: blob.size, open }, doing, call);
}

/** PATCH for each piece, then an empty PUT (distribution-spec, "Pushing a blob in chunks"). */
async function sendPieces(
  client: EndpointClient,
  upload: Upload,
  session: UploadSession,
  call: Call,
): Promise<HttpResponse> {
  const { blob, data, onProgress, doing } = upload;
  const chunkSize = Math.max(client.limits.chunkSize, session.minChunk);
  await using window = new ByteWindow(data);
  let location = session.to;
  for (let offset = 0; offset < blob.size; ) {
    const from = offset;
    const size = Math.min(chunkSize, blob.size - from);
    const body: RequestBody = {
      size,
      open: () => counted(window.read(from, size), from, onProgress),
    };
    const headers = {
      "content-type": "application/octet-stream",
      "content-range": `${from}-${from + size - 1}`,
    };
    const scopes = [client.scope("pull,push")];
    const response = await client.send(
      { method: "PATCH", to: location, headers, body, scopes, doing, retry: false },
      call,
    );
    if (response.status !== 202 && response.status !== 204) return response;
    response.discard();
    location = locationOf(response, client, doing);
    offset = from + size;
  }
  return await put(client, location, blob, undefined, doing, call);
}

function put(
  client: EndpointClient,
  session: URL,
  blob: Descriptor,
  body: RequestBody | undefined,
  doing: string,
  call: Call,
): Promise<HttpResponse> {
  // The server's own parameters must come back as they were, so nothing is parsed and written anew.
  const to = new URL(
    `${session.href}${session.search === "" ? "?" : "&"}digest=${encodeURIComponent(blob.digest)}`,
  );
  const headers = { "content-type": "application/octet-stream" };
  const scopes = [client.scope("pull,push")];
  return client.send(
    { method: "PUT", to, headers, ...(body ? { body } : {}), scopes, doing, retry: false },
    call,
  );
}

/** Where the server wants the data. Behind a TLS proxy, servers may think that they are reached over plain http. */
function locationOf(response: HttpResponse, client: EndpointClient, doing: string): URL {
  const location = response.headers.location ?? "";
  const to = URL.canParse(location, response.url.href)
    ? new URL(location, response.url)
    : undefined;
  if (location === "" || !to || !/^https?:$/.test(to.protocol)) {
    throw new KilnError(
      "REGISTRY_FAILED",
      `${doing}: ${client.endpoint.name} did not say where to upload to`,
    );
  }
  if (response.url.protocol === "https:" && to.protocol === "http:") {
    if (to.hostname !== response.url.hostname) {
      throw new KilnError(
        "REGISTRY_FAILED",
        `${doing}: ${client.endpoint.name} wants data sent in the open to ${to.host}`,
      );
    }
    to.protocol = "https:";
    to.port = response.url.port;
  }
  to.hash = "";
  return to;
}

async function* counted(data: Bytes, from: number, onProgress: (sent: number) => void): Bytes {
  let sent = from;
  for await (const chunk of data) {
    yield chunk;
    sent += chunk.length;
    onProgress(sent);
  }
}
