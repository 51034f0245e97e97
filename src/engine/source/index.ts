// Kinds of root vertices: images, directories of the asking side, and what their contents are worth to the cache.
export * from "./content-digest.ts";
export * from "./image/options.ts";
export * from "./source.ts";
