// Caches in directories of the asking side (`type=local`), lent to a daemon as stores of blobs.
import { createReadStream, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Attrs, BuildRequest, ExportRequest, LentStore, Session } from "../../api/index.ts";
import { type Call, type Digest, digestHex, isKilnError, log, readAll } from "../../base/index.ts";
import { type Descriptor, maxManifestSize, parseDescriptor } from "../../formats/oci/index.ts";
import { openOciLayout } from "../../storage/image/index.ts";
import { withMembers } from "./other-members.ts";

const debug = log("client");

/** A build's caches as the daemon is to see them. */
export interface LocalCaches {
  readonly request: BuildRequest;
  /** Lends the directories, besides what it lends anyway. */
  readonly session: Session;
  /** Writes down in the directories what was exported to them. */
  finish(response: Attrs, call: Call): Promise<void>;
}

/** A directory to import from that is no cache is left out, as the reference does. */
export async function lendLocalCaches(
  request: BuildRequest,
  session: Session,
  call: Call,
): Promise<LocalCaches> {
  const stores = new Map<string, LentStore>();
  const imports: ExportRequest[] = [];
  for (const one of request.cacheImports ?? []) {
    const found = one.type === "local" ? await importFrom(one.attrs, call) : one.attrs;
    if (!found) continue;
    imports.push({ type: one.type, attrs: found });
    if (one.type === "local") lend(stores, found["src"] ?? "");
  }
  const exports = request.cacheExports ?? [];
  const targets = exports.filter(({ type }) => type === "local").map(({ attrs }) => attrs);
  for (const { dest = "" } of targets) lend(stores, dest);
  return {
    request: { ...request, cacheImports: imports, cacheExports: exports },
    session: stores.size === 0 ? session : withStores(session, stores),
    async finish(response, finishing) {
      const text = response["cache.manifest"];
      if (text === undefined) return;
      const manifest = parseDescriptor(JSON.parse(text), "cache.manifest");
      for (const { dest = "", tag = "latest" } of targets)
        await nameManifest(resolve(dest), manifest, tag, finishing);
    },
  };
}

async function importFrom(attrs: Attrs, call: Call): Promise<Attrs | undefined> {
  const { src = "", tag = "latest", digest } = attrs;
  if (digest !== undefined) return attrs;
  try {
    const found = await openOciLayout(resolve(src)).resolve(tag, call);
    if (found) return { ...attrs, digest: found.digest };
  } catch (error) {
    if (!isKilnError(error)) throw error;
  }
  debug.debug("no cache to import", { src, tag });
  return undefined;
}

function lend(stores: Map<string, LentStore>, directory: string): void {
  stores.set(`local:${directory}`, lentStore(resolve(directory)));
}

/** The layout is made when something is written. */
export function lentStore(directory: string): LentStore {
  const layout = () => openOciLayout(directory, { create: true });
  const path = (digest: Digest) => join(directory, "blobs/sha256", digestHex(digest));
  return {
    place: directory,
    size: async (digest) => statSync(path(digest), { throwIfNoEntry: false })?.size,
    async *read(digest, { signal }) {
      for await (const chunk of createReadStream(path(digest), { highWaterMark: 1 << 20, signal }))
        yield chunk as Uint8Array;
    },
    write: (digest, size, data, call) =>
      layout().write({ mediaType: "application/octet-stream", digest, size }, () => data, call),
  };
}

async function nameManifest(
  directory: string,
  manifest: Descriptor,
  tag: string,
  call: Call,
): Promise<void> {
  const layout = openOciLayout(directory, { create: true });
  const data = await readAll(layout.read(manifest, call), maxManifestSize, "cache manifest");
  await layout.writeManifest(manifest, data, tag, call);
}

/** The session with further stores. */
export function withStores(session: Session, stores: ReadonlyMap<string, LentStore>): Session {
  const store = (id: string) => stores.get(id) ?? session.store?.(id);
  return withMembers(session, { store });
}
