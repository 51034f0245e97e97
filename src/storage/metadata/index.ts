// Small facts shared by processes: a typed key-value store.
export { dumpMetadata } from "./dump.ts";
export { openMetadata } from "./lmdb-metadata.ts";
export * from "./metadata.ts";
