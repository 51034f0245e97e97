// From a Dockerfile to LLB and an image configuration.
export { convertDockerfile } from "./convert.ts";
export * from "./options.ts";
