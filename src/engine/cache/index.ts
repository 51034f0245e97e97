// Cache stores: this machine's; later those that travel.
export { openCacheStore } from "./local-cache-store.ts";
