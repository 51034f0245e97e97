// Cache stores: this machine's; later those that travel.
export {
  type CacheContents,
  openCacheContents,
  openCacheStore,
  type RememberedResult,
} from "./local-cache-store.ts";
