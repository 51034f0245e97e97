// Schemes `http` and `https`: one file behind a URL, or one that the asking side sends.
import type { Session, StepCall } from "../../../api/index.ts";
import { type Call, digestOf, isDigest, KilnError, Once } from "../../../base/index.ts";
import type { ContentStore } from "../../../storage/content/index.ts";
import { Connections, type HostSettings } from "../../../storage/http/index.ts";
import type { Metadata } from "../../../storage/metadata/index.ts";
import type { Snapshot, Snapshotter } from "../../../storage/snapshot/index.ts";
import { singleFile } from "../single-file.ts";
import type { ResolvedSource, Source } from "../source.ts";
import { type HttpRequest, parseHttpRequest } from "./attributes.ts";
import { type DownloadParts, download, receiveUpload } from "./download.ts";
import { downloadName } from "./file-name.ts";
import { createHttpRecords, type HttpRecord } from "./records.ts";
import { checkSignature } from "./signature.ts";

export interface HttpSourceOptions {
  readonly content: ContentStore;
  readonly metadata: Metadata;
  readonly snapshotter: Snapshotter;
  readonly userAgent: string;
  /** Settings of registries, by host with its port: their authorities are trusted here too, and nothing else of them counts. */
  readonly hosts?: Readonly<Record<string, HostSettings>>;
  /** Proxies and certificate files; those of this process if left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** BuildKit: `http://buildkit-session/ID` is no server but what the session lends under that id. */
const sessionHost = "buildkit-session";

/** The source of one scheme. Disposing closes idle connections. */
export function createHttpSources(
  options: HttpSourceOptions,
): readonly [http: Source & Disposable, https: Source & Disposable] {
  const parts: DownloadParts = {
    ...options,
    hosts: authoritiesOf(options.hosts ?? {}),
    connections: new Connections(options.environment),
    records: createHttpRecords(options.metadata),
  };
  const lookups = new WeakMap<Session, SessionDownloads>();
  const downloadsOf = (session: Session) => {
    const known = lookups.get(session) ?? new SessionDownloads(parts, session);
    lookups.set(session, known);
    return known;
  };
  const source = (scheme: "http" | "https"): Source & Disposable => ({
    scheme,
    async resolve(id, session, call) {
      const request = parseHttpRequest(id);
      return resolveFile(request, downloadsOf(session), options, call);
    },
    [Symbol.dispose]: () => parts.connections[Symbol.dispose](),
  });
  return [source("http"), source("https")];
}

/** A file is fetched from anywhere: no client key is shown to it, and no certificate goes unchecked. */
function authoritiesOf(
  hosts: Readonly<Record<string, HostSettings>>,
): Readonly<Record<string, HostSettings>> {
  return Object.fromEntries(
    Object.entries(hosts).flatMap(([host, { ca }]) => (ca ? [[host, { ca }]] : [])),
  );
}

/** What a session has downloaded: a URL means the same thing for as long as a build lasts. */
class SessionDownloads {
  readonly #parts: DownloadParts;
  readonly #session: Session;
  readonly #known = new Map<string, HttpRecord>();
  readonly #once = new Once<string, HttpRecord>();

  constructor(parts: DownloadParts, session: Session) {
    this.#parts = parts;
    this.#session = session;
  }

  async get(request: HttpRequest, call: StepCall): Promise<HttpRecord> {
    const { url, checksum, authSecret, headers } = request;
    const key = JSON.stringify([url.href, checksum?.text, authSecret, headers]);
    const known = this.#known.get(key);
    if (known && (await this.#parts.content.has(known.digest, call))) return known;
    const work = ({ signal }: Call) => this.#download(request, { ...call, signal });
    const found = await this.#once.run(key, work, call);
    if (known && known.digest !== found.digest) {
      throw new KilnError("HTTP_FAILED", `${url.href} changed while the build was running`, {
        hint: "Build again.",
      });
    }
    this.#known.set(key, found);
    return found;
  }

  #download(request: HttpRequest, call: StepCall): Promise<HttpRecord> {
    const { url } = request;
    if (url.hostname !== sessionHost) return download(request, this.#parts, this.#session, call);
    const data = this.#session.upload?.(url.pathname.slice(1), call);
    if (!data) throw new KilnError("CONTEXT_NOT_FOUND", `nothing is sent under ${url.href}`);
    return receiveUpload(data, this.#parts, call);
  }
}

/** With a checksum, the key is known before anything is downloaded; without, it is that of what was found. */
async function resolveFile(
  request: HttpRequest,
  downloads: SessionDownloads,
  options: HttpSourceOptions,
  call: StepCall,
): Promise<ResolvedSource> {
  const { url, filename, checksum, signature, mode, uid, gid } = request;
  const shape = (name: string, content: string, time: string | undefined) =>
    digestOf(JSON.stringify(["kiln.http.v1", name, content, time, mode, uid, gid]));
  const fetch = async (fetching: StepCall) => {
    const record = await downloads.get(request, fetching);
    return fileSnapshot(request, record, options, fetching);
  };
  // Before anything is taken from the cache too: what was not signed is not used.
  if (signature) await checkSignature(await downloads.get(request, call), request, options, call);
  const modified = async (asking: StepCall) => timeOf(await downloads.get(request, asking));
  if (checksum) {
    const name = downloadName(url, filename, undefined);
    const cacheKey = shape(name, checksum.text, undefined);
    const meta = isDigest(checksum.text)
      ? { http: { checksum: checksum.text, filename: name } }
      : {};
    return { cacheKey, pin: `${url.href}@${checksum.text}`, meta, fetch, modified };
  }
  const record = await downloads.get(request, call);
  const name = downloadName(url, filename, record.disposition);
  const cacheKey = shape(name, record.digest, record.lastModified);
  const lastModified = timeOf(record);
  const http = {
    checksum: record.digest,
    filename: name,
    ...(lastModified ? { lastModified } : {}),
  };
  return { cacheKey, pin: `${url.href}@${record.digest}`, meta: { http }, fetch, modified };
}

function timeOf({ lastModified }: HttpRecord): Date | undefined {
  const time = Date.parse(lastModified ?? "");
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** Changed when the server says, or else at the beginning of 1970. */
function fileSnapshot(
  { url, filename, mode, uid, gid }: HttpRequest,
  record: HttpRecord,
  { content, snapshotter }: HttpSourceOptions,
  call: StepCall,
): Promise<Snapshot> {
  const { digest, size, disposition } = record;
  const name = downloadName(url, filename, disposition);
  const data = content.read({ mediaType: "application/octet-stream", digest, size }, call);
  const file = { name, mode, uid, gid, modified: timeOf(record) ?? new Date(0) };
  return singleFile(file, data, snapshotter, call);
}
