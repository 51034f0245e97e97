// The distribution client: pulling from and pushing to registries.
export * from "./create-registry.ts";
export * from "./registry.ts";
