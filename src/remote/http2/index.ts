// HTTP/2 over any byte stream, either side (RFC 9113, RFC 7541).
export { Http2Connection, type Http2Options } from "./connection.ts";
export type { ConnectionLimits } from "./hello.ts";
export { errorCodes, type Fields, Http2Error } from "./protocol.ts";
export type { Stream, StreamEvents } from "./stream.ts";
