// Frontends: what turns a request into definitions.
export { createDockerfileFrontend } from "./dockerfile/frontend.ts";
export * from "./frontend.ts";
