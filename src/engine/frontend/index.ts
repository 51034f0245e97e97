// Frontends: what turns a request into definitions.
export { createFrontends, type FrontendsOptions } from "./create-frontends.ts";
export * from "./frontend.ts";
