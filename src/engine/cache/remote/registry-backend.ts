// Caches in registries (`type=registry`), and those inside of images (`type=inline`, read by `type=registry`).
import type { Attrs, Session } from "../../../api/index.ts";
import { goJson, KilnError, Limiter } from "../../../base/index.ts";
import {
  descriptorJson,
  parseReference,
  type Reference,
  repositoryName,
} from "../../../formats/oci/index.ts";
import type { Registry } from "../../../storage/registry/index.ts";
import {
  badCacheAttribute,
  cacheFlag,
  checkCacheAttributes,
  exportAttributes,
  requiredAttribute,
} from "./attributes.ts";
import type { CacheBackend } from "./backend.ts";
import { readCacheManifest, writeCacheManifest } from "./manifest.ts";

export interface RegistryBackendParts {
  registry(session: Session, options: { readonly insecure: boolean }): Registry;
}

/** Uploads at once. */
const uploads = 4;

export function createRegistryBackend(parts: RegistryBackendParts): CacheBackend {
  return {
    type: "registry",
    place: ({ ref = "" }) => ref,
    async import(attrs, session, call) {
      // Exports' own names are no mistake: many write one text for both.
      checkCacheAttributes("registry", attrs, [...registryExportAttributes, "resolver.type"]);
      const reference = readReference(attrs);
      const repository = repositoryName(reference);
      const pull = parts.registry(session, insecure(attrs)).pull(repository);
      const root = await pull.resolve(nameIn(reference), call);
      if (!root) throw new KilnError("IMAGE_NOT_FOUND", `${attrs["ref"]}: not found`);
      return await readCacheManifest({ ...pull, name: repository, repository }, root, call);
    },
    async export(cache, attrs, session, call) {
      checkCacheAttributes("registry", attrs, registryExportAttributes);
      const reference = readReference(attrs);
      if (reference.digest !== undefined)
        throw badCacheAttribute("ref", "a cache cannot be given a name with a digest");
      const push = parts.registry(session, insecure(attrs)).push(repositoryName(reference));
      const limiter = new Limiter(uploads);
      const descriptor = await writeCacheManifest(
        cache,
        {
          async push(blob, data, c) {
            using _permit = await limiter.acquire(c);
            const mountFrom = cache.repositories(blob.digest);
            await push.push(blob, data, { mountFrom }, c);
          },
          writeManifest: (one, data, c) => push.writeManifest(one, data, nameIn(reference), c),
        },
        manifestOptions(attrs),
        call,
      );
      return { "cache.manifest": goJson(descriptorJson(descriptor)) };
    },
  };
}

const registryExportAttributes = [
  ...exportAttributes,
  "image-manifest",
  "oci-mediatypes",
  "ref",
  "registry.insecure",
];

/** How the attributes want it written. */
export function manifestOptions(attrs: Attrs): {
  readonly asImage: boolean;
  readonly family: "oci" | "docker";
} {
  const oci = cacheFlag(attrs, "oci-mediatypes", true);
  const asImage = cacheFlag(attrs, "image-manifest", oci);
  if (asImage && !oci)
    throw badCacheAttribute("image-manifest=true", "an image manifest needs oci-mediatypes=true");
  return { asImage, family: oci ? "oci" : "docker" };
}

function insecure(attrs: Attrs): { readonly insecure: boolean } {
  return { insecure: cacheFlag(attrs, "registry.insecure", false) };
}

function readReference(attrs: Attrs): Reference {
  return parseReference(requiredAttribute("registry", attrs, "ref"));
}

function nameIn(reference: Reference): string {
  return reference.digest ?? reference.tag ?? "latest";
}
