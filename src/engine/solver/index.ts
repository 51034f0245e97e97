export * from "./cache-store.ts";
export * from "./types.ts";
