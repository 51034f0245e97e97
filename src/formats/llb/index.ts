// LLB, the low-level build definition: describing file systems that are yet to be built, and reading such descriptions.
export {
  buildIdentity,
  execIdentity,
  fileIdentity,
  type InputSelector,
  type OpIdentity,
  stackIdentity,
} from "./cache-key.ts";
export { MAX_INPUTS, MAX_OP_BYTES } from "./decode.ts";
export { decodeExec, MAX_MOUNTS } from "./decode-exec.ts";
export { MAX_ACTIONS } from "./decode-file.ts";
export * from "./definition.ts";
export { stateOf } from "./definition-state.ts";
export type { MountSpec, RunOptions, SecretSpec, SshSpec } from "./exec.ts";
export type {
  CopyStep,
  FileStep,
  MkdirStep,
  MkfileStep,
  OwnerSpec,
  RmStep,
  SymlinkStep,
} from "./file.ts";
export * from "./graph.ts";
export { type DefinitionJson, definitionJson, opJson } from "./json.ts";
export type { MarshalOptions } from "./marshal.ts";
export * from "./ops.ts";
export { MAX_OPS, readDefinition } from "./read.ts";
export { type ReplaceableSource, type ReplaceSource, replaceSources } from "./replace-sources.ts";
export type {
  GitOptions,
  HttpOptions,
  ImageOptions,
  LocalOptions,
  OciLayoutOptions,
} from "./source.ts";
export * from "./state.ts";
export type { VariableSet } from "./variables.ts";
export type { Constraints, Output } from "./vertex.ts";
export {
  decodeDefinition,
  encodeDefinition,
  fromFileMessage,
  MAX_DEFINITION_BYTES,
  toFileMessage,
} from "./wire.ts";
