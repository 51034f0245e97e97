// Where results go: registries, archives, directories.
export * from "./exporter.ts";
export * from "./parts.ts";
