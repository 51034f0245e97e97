// Where steps' files come from: every kind of source, by its scheme.
import type { AsyncStack } from "../../base/index.ts";
import type { Sources } from "../ops/index.ts";
import {
  createBlobSources,
  createGitSource,
  createHttpSources,
  createImageSource,
  createLocalSource,
  type ImageSource,
} from "../source/index.ts";
import type { EngineOptions } from "./options.ts";
import type { Stores } from "./stores.ts";

/** Images are also asked for by name. What must be closed goes onto `owned`. */
export function createSources(
  { content, snapshotter, records, origins, otherKeys, metadata, registries, kept }: Stores,
  { version, hosts }: Pick<EngineOptions, "version" | "hosts">,
  owned: AsyncStack,
): { readonly images: ImageSource; readonly sources: Sources } {
  const images = createImageSource({
    ...{ content, snapshotter, records, origins, otherKeys },
    registry: registries.of,
  });
  const files = createHttpSources({
    content,
    metadata,
    snapshotter,
    userAgent: `kiln/${version}`,
    hosts,
  }).map((source) => owned.use(source));
  const { repositories, statIndexes } = kept;
  const git = createGitSource({
    directory: repositories.directory,
    snapshotter,
    onUse: (name, description) => repositories.use(name, description),
    temporary: () => repositories.temporary(),
  });
  const local = createLocalSource({
    directory: statIndexes.directory,
    snapshotter,
    onUse: (name, description) => statIndexes.use(name, description),
  });
  const blobs = createBlobSources({ snapshotter, registry: registries.of });
  const byScheme = [images, ...files, ...blobs].map((source) => [source.scheme, source] as const);
  return {
    images,
    sources: new Map([...byScheme, ["oci-layout", images], ["git", git], ["local", local]]),
  };
}
