// Kinds of root vertices: images, directories of the asking side, and what their contents are worth to the cache.
export { fileType } from "../../storage/directory/index.ts";
export { type BlobSourceOptions, createBlobSources } from "./blob/source.ts";
export { contentDigest } from "./content-digest.ts";
export { ContentLister } from "./content-lister.ts";
export type {
  ContentSelection,
  ContentStat,
  ContentView,
  FilteredSelector,
} from "./content-view.ts";
export { createGitSource, type GitSourceOptions } from "./git/source.ts";
export { directoryContent, hostTreeContent, treeRoot } from "./host-tree.ts";
export { createHttpSources, type HttpSourceOptions } from "./http/source.ts";
export * from "./image/options.ts";
export { createImageSource } from "./image/source.ts";
export type { Absence } from "./local/absence.ts";
export { createLocalSource, type LocalSourceOptions } from "./local/source.ts";
export {
  type IndexedFile,
  readStatIndex,
  writeStatIndex,
} from "./local/stat-index.ts";
export { withLayouts } from "./oci-layout/repository.ts";
export * from "./source.ts";
