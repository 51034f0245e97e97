// Frontends: what turns a request into definitions.
export { createDockerfileFrontend } from "./dockerfile/frontend.ts";
export * from "./frontend.ts";
export { createGatewayFrontend, type GatewayOptions } from "./gateway/frontend.ts";
