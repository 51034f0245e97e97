// Builders behind BuildKit's Control API: builds, what they keep, what they are.
export { buildError } from "./errors.ts";
export { decodeStatus } from "./history.ts";
export { openRemoteBuilder } from "./open.ts";
export { StatusReader, statusEvents } from "./status.ts";
export type { Connect, RemoteBuilder, RemoteBuilderOptions, RemoteWorker } from "./types.ts";
