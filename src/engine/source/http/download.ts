// One file behind a URL, into the content store: asked for again only as far as it may have changed.
import { createHash } from "node:crypto";
import type { Session, StepCall } from "../../../api/index.ts";
import { type Bytes, type Digest, KilnError } from "../../../base/index.ts";
import type { ContentStore } from "../../../storage/content/index.ts";
import {
  Backoff,
  type Connections,
  type HostSettings,
  type HttpResponse,
  maxRedirects,
  NetworkFailure,
  redirectTarget,
} from "../../../storage/http/index.ts";
import type { HttpRequest } from "./attributes.ts";
import { refusedUrl, unreachableUrl, wrongChecksum } from "./failure.ts";
import type { HttpRecord, HttpRecords } from "./records.ts";
import { resumedBody } from "./resume.ts";

/** Lent by the source. */
export interface DownloadParts {
  readonly connections: Connections;
  readonly content: ContentStore;
  readonly records: HttpRecords;
  readonly userAgent: string;
  /** By host with its port, whom else to trust. */
  readonly hosts?: Readonly<Record<string, HostSettings>>;
}

/** One for all hosts without settings: connections are kept by it. */
const noSettings: HostSettings = {};

/** Times in milliseconds. */
const patience = {
  retryBudget: 120_000,
  retryDelay: 250,
  connectTimeout: 15_000,
  idleTimeout: 60_000,
} as const;

/** Largest file that is taken, in bytes. */
const maxFileSize: number = 256 * 1024 ** 3;
/** A time of change tells changes after it only if it is older than this, in milliseconds (RFC 9110, 8.8.2.2). */
const settlingTime = 60_000;
const progressEvery = 512 * 1024;

/**
 * The file, in the content store. A file that is there already is only asked about, and not even that where the
 * checksum says that it is the right one. Throws `HTTP_FAILED` and `CHECKSUM_MISMATCH`.
 */
export async function download(
  request: HttpRequest,
  parts: DownloadParts,
  session: Session,
  call: StepCall,
): Promise<HttpRecord> {
  const key = JSON.stringify([request.url.href, request.headers]);
  const before = await usable(parts.records.get(key), parts, call);
  if (before && request.checksum && isRight(before, request.checksum.text)) return before;
  const headers = await headersOf(request, session, parts.userAgent, call);
  const backoff = new Backoff(patience);
  for (;;) {
    try {
      const response = await follow(request.url, { ...headers, ...questions(before) }, parts, call);
      if (before && isUnchanged(response, before)) {
        response.discard();
        checkDigest(request, before);
        return before;
      }
      if (response.status >= 200 && response.status < 300) {
        const again = (more: Readonly<Record<string, string>>) =>
          follow(request.url, { ...headers, ...more }, parts, call);
        const body = resumedBody(response, { patience, again }, call);
        const record = await receive(request, { response, body }, parts, call);
        parts.records.put(key, record);
        return record;
      }
      response.discard();
      const { "retry-after": retryAfter } = response.headers;
      if (!(await backoff.afterStatus(response.status, retryAfter, call)))
        throw refusedUrl(response.status, request.url, response.url);
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (!(await backoff.afterFailure(error, call))) throw unreachableUrl(error, request.url);
    }
  }
}

/** Bytes that the asking side sends, instead of a server: kept like a file behind a URL, but never found again. */
export async function receiveUpload(
  data: Bytes,
  parts: DownloadParts,
  call: StepCall,
): Promise<HttpRecord> {
  const { digest, size } = await parts.content.ingest(
    fileType,
    reported(data, undefined, call),
    call,
  );
  return { digest, size };
}

const fileType = "application/octet-stream";

async function usable(
  record: HttpRecord | undefined,
  { content }: DownloadParts,
  call: StepCall,
): Promise<HttpRecord | undefined> {
  return record && (await content.has(record.digest, call)) ? record : undefined;
}

function isRight(record: HttpRecord, checksum: string): boolean {
  return record.digest === checksum || record.checksum === checksum;
}

function checkDigest({ url, checksum }: HttpRequest, { digest }: { digest: Digest }): void {
  if (checksum?.algorithm === "sha256" && checksum.text !== digest)
    throw wrongChecksum(url, checksum.text, digest);
}

/** Headers with the credentials for the URL's own host (BuildKit: HTTP_AUTH_HEADER_<host>, HTTP_AUTH_TOKEN_<host>). */
async function headersOf(
  { url, authSecret, headers }: HttpRequest,
  session: Session,
  userAgent: string,
  call: StepCall,
): Promise<Record<string, string>> {
  const secret = async (id: string) => {
    const data = await session.secret(id, call);
    return data && new TextDecoder().decode(data).trim();
  };
  const found: Record<string, string> = { "user-agent": userAgent, accept: "*/*", ...headers };
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (authSecret !== undefined) {
    const value = await secret(authSecret);
    if (value === undefined) {
      throw new KilnError(
        "SECRET_NOT_FOUND",
        `downloading ${url.href} needs the secret ${authSecret}, which was not given`,
        { hint: `Give it with --secret id=${authSecret},src=FILE.` },
      );
    }
    return { ...found, authorization: value };
  }
  const token = await secret(`HTTP_AUTH_TOKEN_${host}`);
  const header = token ? `Bearer ${token}` : await secret(`HTTP_AUTH_HEADER_${host}`);
  if (header) return { ...found, authorization: header };
  if (url.username === "" && url.password === "") return found;
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { ...found, authorization: `Basic ${btoa(pair)}` };
}

/** Asks only for what has changed since. */
function questions(before: HttpRecord | undefined): Record<string, string> {
  if (before?.etag !== undefined) return { "if-none-match": before.etag };
  if (before?.lastModified !== undefined && before.settled)
    return { "if-modified-since": before.lastModified };
  return {};
}

/** Servers that know entity tags but not If-None-Match send the whole file with the same tag. */
function isUnchanged({ status, headers }: HttpResponse, before: HttpRecord): boolean {
  if (status === 304) return true;
  return (
    status === 200 && before.etag !== undefined && strong(headers.etag) === strong(before.etag)
  );
}

function strong(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, "");
}

/** Sends, and follows where it is sent to. Credentials stay with the host that they are for. */
async function follow(
  first: URL,
  headers: Readonly<Record<string, string>>,
  { connections, hosts = {} }: DownloadParts,
  call: StepCall,
): Promise<HttpResponse> {
  let url = withoutCredentials(first);
  for (let hops = 0; ; hops++) {
    const { authorization, ...open } = headers;
    const own = url.origin === first.origin && authorization !== undefined;
    const sent = own ? { ...open, authorization } : open;
    const response = await connections.send(
      { method: "GET", url, headers: sent },
      Object.hasOwn(hosts, url.host) ? (hosts[url.host] ?? noSettings) : noSettings,
      patience,
      call,
    );
    const next = redirectTarget(response, "GET", url);
    if (!next) return response;
    response.discard();
    if (hops === maxRedirects) {
      throw new KilnError(
        "HTTP_FAILED",
        `downloading ${first.href}: redirected more than ${maxRedirects} times`,
      );
    }
    url = withoutCredentials(next);
  }
}

function withoutCredentials(url: URL): URL {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  bare.hash = "";
  return bare;
}

async function receive(
  request: HttpRequest,
  { response, body }: { readonly response: HttpResponse; readonly body: Bytes },
  { content }: DownloadParts,
  call: StepCall,
): Promise<HttpRecord> {
  const { url, checksum } = request;
  const { headers } = response;
  const length = Number(headers["content-length"] ?? Number.NaN);
  if (length > maxFileSize) {
    response.discard();
    throw tooLarge(url);
  }
  const other =
    checksum && checksum.algorithm !== "sha256" ? createHash(checksum.algorithm) : undefined;
  const checked = async function* (): Bytes {
    let seen = 0;
    for await (const chunk of body) {
      seen += chunk.length;
      if (seen > maxFileSize) throw tooLarge(url);
      other?.update(chunk);
      yield chunk;
    }
  };
  const total = Number.isNaN(length) ? undefined : length;
  const { digest, size } = await content.ingest(fileType, reported(checked(), total, call), call);
  checkDigest(request, { digest });
  const found = other && `${checksum?.algorithm}:${other.digest("hex")}`;
  if (checksum && found !== undefined && found !== checksum.text)
    throw wrongChecksum(url, checksum.text, found);
  const { etag, "last-modified": lastModified, "content-disposition": disposition } = headers;
  const age = Date.parse(headers.date ?? "") - Date.parse(lastModified ?? "");
  return {
    digest,
    size,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified, settled: age >= settlingTime }),
    ...(disposition === undefined ? {} : { disposition }),
    ...(found === undefined ? {} : { checksum: found }),
  };
}

function tooLarge(url: URL): KilnError {
  return new KilnError("HTTP_FAILED", `${url.href} is larger than ${maxFileSize} bytes`);
}

async function* reported(data: Bytes, total: number | undefined, { step, emit }: StepCall): Bytes {
  let current = 0;
  let said = 0;
  const say = (done: boolean) => {
    said = current;
    const size = total === undefined ? {} : { total };
    emit({
      type: "progress",
      step,
      id: "downloading",
      at: new Date(),
      current,
      ...size,
      ...(done ? { done } : {}),
    });
  };
  for await (const chunk of data) {
    current += chunk.length;
    if (current - said >= progressEvery) say(false);
    yield chunk;
  }
  say(true);
}
