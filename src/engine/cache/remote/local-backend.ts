// Caches in directories (`type=local`): OCI layouts, on this disk or lent by the asking side.
import { rmSync } from "node:fs";
import type { Attrs, LentStore, Session } from "../../../api/index.ts";
import {
  bytesOf,
  fromNodeError,
  goJson,
  isDigest,
  isKilnError,
  KilnError,
  readAll,
  verified,
} from "../../../base/index.ts";
import { type Descriptor, descriptorJson, maxManifestSize } from "../../../formats/oci/index.ts";
import { openOciLayout } from "../../../storage/image/index.ts";
import {
  badCacheAttribute,
  cacheFlag,
  checkCacheAttributes,
  exportAttributes,
  requiredAttribute,
} from "./attributes.ts";
import type { CacheBackend } from "./backend.ts";
import {
  type CacheRepository,
  type CacheTarget,
  readCacheManifest,
  writeCacheManifest,
} from "./manifest.ts";
import { manifestOptions } from "./registry-backend.ts";

const exportNames = [
  ...exportAttributes,
  "dest",
  "image-manifest",
  "oci-mediatypes",
  "reset",
  "tag",
];

export function createLocalBackend(): CacheBackend {
  return {
    type: "local",
    place: ({ src, dest }) => src ?? dest ?? "",
    async import(attrs, session, call) {
      // Exports' own names are no mistake: many write one text for both.
      checkCacheAttributes("local", attrs, [...exportNames, "digest", "src"]);
      const src = requiredAttribute("local", attrs, "src");
      const { digest } = attrs;
      if (digest !== undefined && !isDigest(digest))
        throw badCacheAttribute(`digest=${digest}`, "it is no digest");
      const lent = lentStore(session, src);
      if (lent) {
        const size = digest === undefined ? undefined : await lent.size(digest, call);
        if (digest === undefined || size === undefined)
          throw new KilnError("BLOB_NOT_FOUND", `there is no cache ${digest ?? ""} in ${src}`);
        // What it is, the document itself says.
        return await readCacheManifest(
          lentRepository(lent, src),
          { mediaType: "", digest, size },
          call,
        );
      }
      const layout = openOciLayout(src);
      const root = await layout.resolve(digest ?? attrs["tag"] ?? "latest", call);
      if (!root)
        throw new KilnError(
          "IMAGE_NOT_FOUND",
          `${src} has no cache ${digest ?? attrs["tag"] ?? "latest"}`,
        );
      return await readCacheManifest({ ...layout, name: src }, root, call);
    },
    async export(cache, attrs, session, call) {
      checkCacheAttributes("local", attrs, exportNames);
      const dest = requiredAttribute("local", attrs, "dest");
      const lent = lentStore(session, dest);
      if (!lent && cacheFlag(attrs, "reset", false)) rmSync(dest, { recursive: true, force: true });
      const target = lent ? lentTarget(lent) : directoryTarget(dest, attrs);
      const descriptor = await writeCacheManifest(
        cache,
        target,
        manifestOptions(attrs),
        call,
      ).catch((error: unknown) => {
        throw cannotWrite(error, dest);
      });
      return { "cache.manifest": goJson(descriptorJson(descriptor)) };
    },
  };
}

function cannotWrite(error: unknown, dest: string): unknown {
  const known = fromNodeError(error, `writing the cache ${dest}`);
  if (isKilnError(known) || !(known instanceof Error) || !("code" in known)) return known;
  return new KilnError("CACHE_FAILED", `writing the cache ${dest}: ${known.message}`, {
    cause: error,
  });
}

function lentStore(session: Session, directory: string): LentStore | undefined {
  return session.store?.(`local:${directory}`);
}

function directoryTarget(dest: string, attrs: Attrs): CacheTarget {
  const layout = openOciLayout(dest, { create: true });
  return {
    async push(blob, data, c) {
      await layout.push(blob, data, {}, c);
    },
    writeManifest: (one, data, c) => layout.writeManifest(one, data, attrs["tag"] ?? "latest", c),
  };
}

/** The asking side writes the name: it is told the manifest's digest. */
function lentTarget(store: LentStore): CacheTarget {
  return {
    push: (blob, data, c) => store.write(blob.digest, blob.size, data(), c),
    writeManifest: (one, data, c) => store.write(one.digest, one.size, bytesOf(data), c),
  };
}

function lentRepository(store: LentStore, name: string): CacheRepository {
  const read = (blob: Descriptor, call: Parameters<LentStore["read"]>[1]) =>
    verified(
      store.read(blob.digest, call),
      blob.digest,
      blob.size,
      `blob ${blob.digest} of ${name}`,
    );
  return {
    name,
    read,
    has: async (digest, call) => (await store.size(digest, call)) !== undefined,
    readManifest: (one, call) =>
      readAll(read(one, call), maxManifestSize, `manifest ${one.digest}`),
  };
}
