// Manifests by tag or digest at one server: looking up, reading, writing.
import { type Call, type Digest, digestOf, isDigest, KilnError } from "../../base/index.ts";
import { type Descriptor, manifestAccept, maxManifestSize } from "../../formats/oci/index.ts";
import { type HttpResponse, isTemporaryStatus } from "../http/index.ts";
import type { ClientRequest, EndpointClient } from "./endpoint-client.ts";

const accept = [
  ...manifestAccept,
  "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1",
  "*/*;q=0.1",
].join(", ");

/** A document with its name. `data` is there where looking it up has brought it along. */
export interface FoundManifest {
  readonly descriptor: Descriptor;
  readonly data?: Uint8Array;
}

/**
 * What a tag or digest names; undefined where there is nothing. Asks by HEAD, and by GET where the answer to that does
 * not say enough or is an error (some registries do not know HEAD).
 */
export async function resolveManifest(
  client: EndpointClient,
  reference: string,
  scopes: readonly string[],
  call: Call,
): Promise<FoundManifest | undefined> {
  const doing = `looking up ${shownName(client, reference)}`;
  const request: ClientRequest = {
    method: "HEAD",
    to: `manifests/${reference}`,
    headers: { accept },
    scopes,
    doing,
  };
  const head = await client.send(request, call);
  head.discard();
  const descriptor = head.status === 200 ? descriptorOf(head, reference) : undefined;
  if (descriptor) return { descriptor };
  // Patience with a busy server is over by now; it is asked once more for its reasons, which HEAD does not carry.
  const again: ClientRequest = { ...request, method: "GET" };
  const response = isTemporaryStatus(head.status)
    ? await client.sendOnce(again, call)
    : await client.send(again, call);
  if (response.status === 404) {
    response.discard();
    return undefined;
  }
  if (response.status !== 200) throw await client.failure(response, { method: "GET", doing }, call);
  const data = await readDocument(response, doing, call);
  const digest = digestOf(data);
  if (isDigest(reference) && digest !== reference) throw corrupt(doing, reference, digest);
  return { descriptor: { mediaType: mediaTypeOf(response), digest, size: data.length }, data };
}

/** The document; undefined where there is none. Throws `BLOB_CORRUPT` when it is not what the descriptor says. */
export async function readManifest(
  client: EndpointClient,
  { digest, size, mediaType }: Descriptor,
  scopes: readonly string[],
  call: Call,
): Promise<Uint8Array | undefined> {
  const doing = `reading the manifest ${shownName(client, digest)}`;
  const headers = { accept: mediaType ? `${mediaType}, ${accept}` : accept };
  const response = await client.send(
    { method: "GET", to: `manifests/${digest}`, headers, scopes, doing },
    call,
  );
  if (response.status === 404) {
    response.discard();
    return undefined;
  }
  if (response.status !== 200) throw await client.failure(response, { method: "GET", doing }, call);
  const data = await readDocument(response, doing, call);
  const found = digestOf(data);
  if (found !== digest || data.length !== size) throw corrupt(doing, digest, found);
  return data;
}

/** Puts a document under its digest, or under a tag. */
export async function writeManifest(
  client: EndpointClient,
  { digest, mediaType }: Descriptor,
  data: Uint8Array,
  tag: string | undefined,
  call: Call,
): Promise<void> {
  const reference = tag ?? digest;
  const doing = `pushing ${shownName(client, reference)}`;
  if (data.length > maxManifestSize) {
    throw new KilnError(
      "IMAGE_INVALID",
      `${doing}: larger than the ${maxManifestSize} bytes that registries take`,
    );
  }
  const body = {
    size: data.length,
    async *open() {
      yield data;
    },
  };
  const headers = { "content-type": mediaType };
  const scopes = [client.scope("pull,push")];
  const response = await client.send(
    { method: "PUT", to: `manifests/${reference}`, headers, body, scopes, doing },
    call,
  );
  if (response.status !== 201 && response.status !== 200) {
    throw await client.failure(response, { method: "PUT", doing }, call);
  }
  response.discard();
  const stored = response.headers["docker-content-digest"];
  if (typeof stored === "string" && stored !== digest) throw corrupt(doing, digest, stored);
}

/** `example.com/app:1` or `example.com/app@sha256:...`, for messages. */
export function shownName({ endpoint }: EndpointClient, reference: string): string {
  return `${endpoint.name}/${endpoint.repository}${reference.includes(":") ? "@" : ":"}${reference}`;
}

function descriptorOf(response: HttpResponse, reference: string): Descriptor | undefined {
  const said = response.headers["docker-content-digest"];
  const digest = typeof said === "string" && isDigest(said) ? said : undefined;
  const size = Number(response.headers["content-length"] ?? 0);
  const mediaType = mediaTypeOf(response);
  // What says nothing, or something else than was asked for, is looked at by GET.
  const wanted: Digest | undefined = isDigest(reference) ? reference : digest;
  if (!digest || digest !== wanted || !Number.isSafeInteger(size) || size <= 0 || mediaType === "")
    return undefined;
  return { mediaType, digest, size };
}

function mediaTypeOf(response: HttpResponse): string {
  return (response.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
}

async function readDocument(
  response: HttpResponse,
  doing: string,
  call: Call,
): Promise<Uint8Array> {
  const data = await response.readUpTo(maxManifestSize + 1, call);
  if (data.length <= maxManifestSize) return data;
  throw new KilnError("IMAGE_INVALID", `${doing}: larger than ${maxManifestSize} bytes`);
}

function corrupt(doing: string, expected: string, found: string): KilnError {
  return new KilnError("BLOB_CORRUPT", `${doing}: expected ${expected}, got ${found}`);
}
