// Addresses of git repositories, references into them, and signed objects of them.
export {
  fragmentForm,
  type GitReference,
  gitSourceId,
  type ParsedGitReference,
  parseGitReference,
} from "./reference.ts";
export { readSignedCommit, readSignedTag, type SignedObject } from "./signed-object.ts";
export { type GitUrl, isGitTransport, parseGitUrl } from "./url.ts";
