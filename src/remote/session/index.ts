// Sessions over gRPC, both ends: what the asking side lends, served there and used here.
export {
  type ReadResult,
  type ResultPart,
  readResult,
  resultKeys,
  resultMetadata,
} from "./gateway-result.ts";
export { metadataKeys } from "./metadata.ts";
export { readSessionInfo, remoteSession, type SessionInfo } from "./remote/remote-session.ts";
export { policyService } from "./serve/policy.ts";
export { type ServeSessionOptions, serveSession } from "./serve/serve-session.ts";
export {
  metaMessage,
  policyMessage,
  readMeta,
  readPlatform,
  readPolicies,
  readSource,
  sourceMessage,
} from "./source-policies.ts";
