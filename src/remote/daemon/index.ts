// A builder served over gRPC as BuildKit's daemon is.
export { type FiguresServer, serveFigures } from "./debug-server.ts";
export { Figures } from "./figures.ts";
export { type Address, type Listening, listen, parseAddress } from "./listen.ts";
export { serveBridge } from "./serve-bridge.ts";
export { type ServeOptions, serveBuilder } from "./serve-builder.ts";
export { inheritedSockets, notifyReady, notifyStopping } from "./systemd.ts";
export type { DaemonVersion } from "./workers.ts";
