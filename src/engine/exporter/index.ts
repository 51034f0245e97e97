// Where results go: registries, archives, directories.
export * from "./create-exporters.ts";
export * from "./exporter.ts";
export { listMadeLayers, type MadeLayer } from "./image/made-layers.ts";
export type { LayerPacker } from "./image/pack-layers.ts";
export { defaultEpoch } from "./image/timestamps.ts";
export * from "./parts.ts";
