// Bake files: HCL, JSON and Compose to targets and groups.
export { entryText } from "./entries.ts";
export { type FilesOptions, readBakeFiles } from "./files.ts";
export { parseOverrides } from "./overrides.ts";
export { bakeJson } from "./print.ts";
export { type ResolvedBake, type ResolvedTarget, resolveBake } from "./resolve.ts";
export type { BakeDefinition, Entry, Fields, Group, VariableInfo } from "./target.ts";
