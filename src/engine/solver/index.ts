// A generic solver of step graphs with a cache; it knows nothing of containers.
export * from "./cache-store.ts";
export { createMemoryCacheStore } from "./memory-cache-store.ts";
export { createSolver } from "./solver.ts";
export * from "./types.ts";
