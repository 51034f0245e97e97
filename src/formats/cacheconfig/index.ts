// The document that travelling caches are described in: application/vnd.buildkit.cacheconfig.v0.
export * from "./document.ts";
