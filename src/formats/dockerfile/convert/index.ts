// From a Dockerfile to LLB and an image configuration.
export { convertDockerfile } from "./convert.ts";
export { openRemoteContext, type RemoteContext, remoteContextFile } from "./main-context.ts";
export * from "./options.ts";
