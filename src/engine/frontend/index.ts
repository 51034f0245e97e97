// Frontends: what turns a request into definitions.
export * from "./frontend.ts";
