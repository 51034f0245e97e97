// What is remembered of builds, in the form in which BuildKit's clients read it.

export {
  type BundledRecord,
  type ReadRecord,
  readBundle,
  writeBundle,
} from "./bundle.ts";
export { createRecordFilter } from "./filters.ts";
export { type History, openHistory } from "./history.ts";
export type { Hear, HistoryOptions } from "./recording.ts";
export { type FailureFacts, wireError } from "./wire-errors.ts";
export { wireWords } from "./wire-words.ts";
