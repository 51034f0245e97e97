// Blobs by digest: the interfaces, and the store on this disk.
export * from "./content.ts";
export * from "./disk-content-store.ts";
