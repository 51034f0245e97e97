// A registry as one session sees it: a name means the same thing for as long as the session lives.
import { type Call, type Digest, Once, readAll } from "../../../base/index.ts";
import { type Descriptor, maxManifestSize } from "../../../formats/oci/index.ts";
import type { ContentStore } from "../../../storage/content/index.ts";
import type { PullRepository, Registry } from "../../../storage/registry/index.ts";

/** What a session has looked up: several platforms of one build ask the registry once, and get one answer. */
export class SessionLookups {
  readonly #known = new Map<string, Descriptor>();
  readonly #once = new Once<string, Descriptor | undefined>();

  /** The repository, with names looked up at most once. That there is nothing under a name is not remembered. */
  pull(registry: Registry, repository: string): PullRepository {
    const source = registry.pull(repository);
    return {
      has: (digest, call) => source.has(digest, call),
      read: (blob, call) => source.read(blob, call),
      readManifest: (descriptor, call) => source.readManifest(descriptor, call),
      writeManifest: (descriptor, data, tag, call) =>
        source.writeManifest(descriptor, data, tag, call),
      resolve: (reference, call) => this.#resolve(source, repository, reference, call),
    };
  }

  async #resolve(
    source: PullRepository,
    repository: string,
    reference: string,
    call: Call,
  ): Promise<Descriptor | undefined> {
    const key = `${repository} ${reference}`;
    const known = this.#known.get(key);
    if (known) return known;
    const found = await this.#once.run(key, (shared) => source.resolve(reference, shared), call);
    if (found) {
      this.#known.set(key, found);
      // Steps name what they use by digest: that needs no second look-up.
      this.#known.set(`${repository} ${found.digest}`, found);
    }
    return found;
  }
}

/** One image of the local store as if a registry had it. It must not be written to. */
export function localRepository(root: Descriptor, content: ContentStore): PullRepository {
  const readOnly = () =>
    Promise.reject(new Error("an image of the local store is not a place to push to"));
  return {
    has: (digest: Digest, call) => content.has(digest, call),
    read: (blob, call) => content.read(blob, call),
    resolve: async () => root,
    writeManifest: readOnly,
    readManifest(descriptor, call) {
      const what = `manifest ${descriptor.digest}`;
      return readAll(content.read(descriptor, call), maxManifestSize, what);
    },
  };
}
