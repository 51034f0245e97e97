// Sub-requests of the Dockerfile frontend: answers about a file, without building it.
export * from "./convert-llb.ts";
export * from "./describe.ts";
export * from "./lint.ts";
export * from "./outline.ts";
export * from "./tables.ts";
export * from "./targets.ts";
