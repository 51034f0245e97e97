// Cache stores: this machine's, and those that travel.
export {
  type CacheContents,
  openCacheContents,
  openCacheStore,
  type RememberedResult,
} from "./local-cache-store.ts";
export { createAzblobBackend } from "./remote/azblob-backend.ts";
export type { CacheBackend } from "./remote/backend.ts";
export { type CombinedStore, createCombinedStore } from "./remote/combined-store.ts";
export { createGhaBackend } from "./remote/gha-backend.ts";
export { createLocalBackend } from "./remote/local-backend.ts";
export { createObjectsHttp } from "./remote/objects-http.ts";
export { createOtherKeys, type OtherKeys } from "./remote/other-keys.ts";
export { createRegistryBackend } from "./remote/registry-backend.ts";
export {
  type BuildOutcome,
  createRemoteCaches,
  type PackCacheLayer,
  type RemoteCaches,
  type WantedCache,
} from "./remote/remote-caches.ts";
export { createS3Backend } from "./remote/s3-backend.ts";
export { createTurns } from "./turns.ts";
