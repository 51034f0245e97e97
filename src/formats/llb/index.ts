// LLB, the low-level build definition: describing file systems that are yet to be built, and reading such descriptions.
export { MAX_INPUTS, MAX_OP_BYTES } from "./decode.ts";
export { MAX_MOUNTS } from "./decode-exec.ts";
export { MAX_ACTIONS } from "./decode-file.ts";
export * from "./definition.ts";
export * from "./graph.ts";
export * from "./ops.ts";
export { MAX_OPS, readDefinition } from "./read.ts";
export { decodeDefinition, encodeDefinition, MAX_DEFINITION_BYTES } from "./wire.ts";
