export * from "./exporter.ts";
