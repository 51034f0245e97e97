// Docker's engine as a client sees it: where it is, what it is asked, and streams through it.
export { authHeader } from "./auth-header.ts";
export {
  contextKey,
  type DockerContextOptions,
  type DockerContexts,
  type DockerEndpoint,
  type DockerTls,
  defaultDockerHost,
  readDockerContexts,
} from "./contexts.ts";
export { type DockerEngine, dockerEngine, type EngineRequest, isMissing } from "./engine-api.ts";
export { execStream, unframed } from "./exec.ts";
export { openProgramStream } from "./program-stream.ts";
export { sshCommand } from "./transport.ts";
