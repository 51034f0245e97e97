// Addresses of git repositories and references into them.
export {
  fragmentForm,
  type GitReference,
  gitSourceId,
  type ParsedGitReference,
  parseGitReference,
} from "./reference.ts";
export { type GitUrl, isGitTransport, parseGitUrl } from "./url.ts";
