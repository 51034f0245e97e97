// Blobs by digest: the interfaces, and the store on this disk.
export * from "./content.ts";
export * from "./copy-blob.ts";
export * from "./disk-content-store.ts";
