// Protobuf messages, by package. All but this file and its test is generated from proto/ by scripts/gen-proto.ts.
export * as content from "./containerd/services/content/v1/content.ts";
export * as fsutil from "./fsutil/types/wire.ts";
export * as auth from "./session/auth/auth.ts";
export * as filesync from "./session/filesync/filesync.ts";
export * as secrets from "./session/secrets/secrets.ts";
export * as sshforward from "./session/sshforward/ssh.ts";
export * as upload from "./session/upload/upload.ts";
export * as rpcDetails from "./google/rpc/error_details.ts";
export * as rpc from "./google/rpc/status.ts";
export * as health from "./grpc/health/v1/health.ts";
export * as pb from "./solver/pb/ops.ts";
