// Protobuf messages, by package. All but this file and its test is generated from proto/ by scripts/gen-proto.ts.
export * as pb from "./solver/pb/ops.ts";
