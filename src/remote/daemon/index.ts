// A builder served over gRPC as BuildKit's daemon is.
export { type Listening, listen, parseAddress } from "./listen.ts";
export { type ServeOptions, serveBuilder } from "./serve-builder.ts";
export type { OpenSession, SessionInfo } from "./sessions.ts";
export type { DaemonVersion } from "./workers.ts";
