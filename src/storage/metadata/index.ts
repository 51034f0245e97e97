// Small facts shared by processes: a typed key-value store.
export { openMetadata } from "./lmdb-metadata.ts";
export * from "./metadata.ts";
