// What a build would do, before it does anything.
export * from "./image-lookups.ts";
export * from "./plan.ts";
