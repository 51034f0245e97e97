// Builders as both tools know them: records, names, and the directory they lie in.
export { checkBuilderName, randomBuilderName } from "./names.ts";
export { type BuilderRecord, type NodeRecord, parseRecord, recordText } from "./record.ts";
export {
  type BuildOrigin,
  type BuildOrigins,
  type OriginGroup,
  openBuildOrigins,
} from "./refs.ts";
export { type BuilderStore, noBuilder, openBuilderStore, type StoreChange } from "./store.ts";
