// The parts of the embedded builder, put together from its options.
export { createBuildParts } from "./build-parts.ts";
export type { EngineOptions } from "./options.ts";
export { openStores } from "./stores.ts";
export { usageParts } from "./usage-parts.ts";
