// Where results go: registries, archives, directories.
export * from "./create-exporters.ts";
export * from "./exporter.ts";
export * from "./parts.ts";
