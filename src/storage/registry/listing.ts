// What else a registry tells and does about a repository: its tags, what refers to an image, taking away.
import {
  type Call,
  type Digest,
  digestHex,
  digestOf,
  isDigest,
  isRecord,
  KilnError,
} from "../../base/index.ts";
import {
  type Descriptor,
  maxManifestSize,
  mediaTypes,
  parseIndex,
  serializeIndex,
} from "../../formats/oci/index.ts";
import type { HttpResponse } from "../http/index.ts";
import type { EndpointClient } from "./endpoint-client.ts";
import { maxListPages, maxReferrers, tagsPerPage } from "./limits.ts";
import { readManifest, resolveManifest, shownName, writeManifest } from "./manifests.ts";
import type { RepositoryListing } from "./registry.ts";

/** For the repository's own host: mirrors know neither all tags nor what may be taken away. */
export function createListing(client: EndpointClient): RepositoryListing {
  return {
    tags: (call) => listTags(client, call),
    referrers: (subject, call) => listReferrers(client, subject, call),
    addReferrer: (subject, referrer, call) => addReferrer(client, subject, referrer, call),
    deleteManifest: (reference, call) => remove(client, `manifests/${reference}`, reference, call),
    deleteBlob: (digest, call) => remove(client, `blobs/${digest}`, digest, call),
  };
}

async function* listTags(client: EndpointClient, call: Call): AsyncIterable<string> {
  const doing = `listing the tags of ${shownRepository(client)}`;
  const first = { to: "tags/list", query: { n: String(tagsPerPage) } };
  for await (const page of pages(client, first, doing, call)) {
    const { tags } = page;
    if (tags === null || tags === undefined) continue;
    if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string"))
      throw nonsense(client, doing);
    yield* tags;
  }
}

/** By the referrers API (distribution-spec 1.1), else by the tag that stands in for it; each once. */
async function listReferrers(
  client: EndpointClient,
  subject: Digest,
  call: Call,
): Promise<readonly Descriptor[]> {
  return (
    (await askReferrers(client, subject, call)) ?? (await taggedReferrers(client, subject, call))
  );
}

/** Undefined where the registry has no such API. */
async function askReferrers(
  client: EndpointClient,
  subject: Digest,
  call: Call,
): Promise<readonly Descriptor[] | undefined> {
  const doing = `listing what refers to ${shownName(client, subject)}`;
  const found = new Map<string, Descriptor>();
  try {
    for await (const page of pages(client, { to: `referrers/${subject}` }, doing, call)) {
      const data = new TextEncoder().encode(JSON.stringify(page));
      for (const one of parseIndex(data, mediaTypes.ociIndex).manifests) found.set(one.digest, one);
      if (found.size > maxReferrers) throw tooMany(client, doing);
    }
  } catch (error) {
    if (error instanceof KilnError && lacksApi(error)) return undefined;
    throw error;
  }
  return [...found.values()];
}

function lacksApi({ code, details }: KilnError): boolean {
  const status = details["status"];
  return code === "IMAGE_NOT_FOUND" || [400, 404, 405, 501].includes(Number(status));
}

/** `sha256-HEX`: an index of referrers, kept by the clients themselves. */
export function referrersTag(subject: Digest): string {
  return `sha256-${digestHex(subject)}`;
}

async function taggedReferrers(
  client: EndpointClient,
  subject: Digest,
  call: Call,
): Promise<readonly Descriptor[]> {
  const scopes = [client.scope("pull")];
  const found = await resolveManifest(client, referrersTag(subject), scopes, call);
  if (!found || found.descriptor.mediaType !== mediaTypes.ociIndex) return [];
  const data = found.data ?? (await readManifest(client, found.descriptor, scopes, call));
  return data ? parseIndex(data, mediaTypes.ociIndex).manifests : [];
}

/** Nothing to do where the registry has seen it by itself; else the tag's index is written anew with it. */
async function addReferrer(
  client: EndpointClient,
  subject: Digest,
  referrer: Descriptor,
  call: Call,
): Promise<void> {
  if (await askReferrers(client, subject, call)) return;
  const known = await taggedReferrers(client, subject, call);
  if (known.some(({ digest }) => digest === referrer.digest)) return;
  const data = serializeIndex({ mediaType: mediaTypes.ociIndex, manifests: [...known, referrer] });
  const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestOf(data), size: data.length };
  await writeManifest(client, descriptor, data, referrersTag(subject), call);
}

async function remove(
  client: EndpointClient,
  to: string,
  reference: string,
  call: Call,
): Promise<void> {
  const doing = `deleting ${shownName(client, reference)}`;
  const scopes = [client.scope("pull,push"), client.scope("delete")];
  const response = await client.send({ method: "DELETE", to, scopes, doing }, call);
  if (response.status === 202 || response.status === 200 || response.status === 204)
    return response.discard();
  if (response.status === 405 || (response.status === 400 && !isDigest(reference))) {
    response.discard();
    throw new KilnError("UNSUPPORTED", `${doing}: ${client.endpoint.name} does not allow it`, {
      hint: isDigest(reference)
        ? "Deleting must be switched on in the registry's own configuration."
        : "This registry deletes images only by digest: write NAME@sha256:... instead of the tag.",
    });
  }
  throw await client.failure(response, { method: "DELETE", doing }, call);
}

/** Pages of a listing, following `Link: <...>; rel="next"` within the same server. */
async function* pages(
  client: EndpointClient,
  first: { readonly to: string; readonly query?: Readonly<Record<string, string>> },
  doing: string,
  call: Call,
): AsyncIterable<Readonly<Record<string, unknown>>> {
  const scopes = [client.scope("pull")];
  let next: { readonly to: string | URL; readonly query?: Readonly<Record<string, string>> } =
    first;
  for (let count = 0; count < maxListPages; count++) {
    const response = await client.send({ method: "GET", ...next, scopes, doing }, call);
    if (response.status !== 200)
      throw await client.failure(response, { method: "GET", doing }, call);
    const data = await response.readUpTo(maxManifestSize + 1, call);
    yield readPage(client, data, doing);
    const link = nextLink(client, response, doing);
    if (!link) return;
    next = { to: link };
  }
  throw tooMany(client, doing);
}

function readPage(
  client: EndpointClient,
  data: Uint8Array,
  doing: string,
): Readonly<Record<string, unknown>> {
  if (data.length > maxManifestSize) throw tooMany(client, doing);
  let page: unknown;
  try {
    page = JSON.parse(new TextDecoder().decode(data));
  } catch {
    throw nonsense(client, doing);
  }
  if (isRecord(page)) return page;
  throw nonsense(client, doing);
}

function nextLink(client: EndpointClient, response: HttpResponse, doing: string): URL | undefined {
  const header = String(response.headers["link"] ?? "").slice(0, 4096);
  const target = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(header)?.[1];
  if (target === undefined) return undefined;
  const url = URL.canParse(target, response.url.href) ? new URL(target, response.url) : undefined;
  if (!url || url.host !== response.url.host) throw nonsense(client, doing);
  // Behind a TLS proxy, servers may think that they are reached over plain http.
  url.protocol = response.url.protocol;
  return url;
}

function shownRepository({ endpoint }: EndpointClient): string {
  return `${endpoint.name}/${endpoint.repository}`;
}

function nonsense({ endpoint }: EndpointClient, doing: string): KilnError {
  return new KilnError("REGISTRY_FAILED", `${doing}: ${endpoint.name} did not answer with a list`);
}

function tooMany({ endpoint }: EndpointClient, doing: string): KilnError {
  return new KilnError("REGISTRY_FAILED", `${doing}: ${endpoint.name} lists too many`);
}
