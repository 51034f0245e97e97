// gRPC over HTTP/2 on any byte stream: servers, clients, statuses, and tunnels of bytes through calls.
export { bind } from "./bind.ts";
export { type ChannelOptions, openChannel } from "./channel.ts";
export { createClient } from "./client.ts";
export {
  MessageParts,
  type OutgoingMessage,
  rawBatch,
  rawMessage,
  streamedBytes,
} from "./messages.ts";
export { Outbox } from "./outbox.ts";
export { createGrpcServer } from "./server.ts";
export {
  type AnyMessage,
  asStatus,
  describeStatus,
  fromStatus,
  StatusError,
  statusCodes,
} from "./status.ts";
export { type BytesMessage, openTunnel, type Tunnel, tunnel } from "./tunnel.ts";
export type * from "./types.ts";
