// Sub-requests of the Dockerfile frontend: answers about a file, without building it.
export * from "./lint.ts";
export * from "./outline.ts";
export * from "./targets.ts";
