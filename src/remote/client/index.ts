// Builders behind BuildKit's Control API: builds, what they keep, what they are.
export { openRemoteBuilder } from "./open.ts";
export { statusEvents } from "./status.ts";
export type { Connect, RemoteBuilder, RemoteBuilderOptions, RemoteWorker } from "./types.ts";
