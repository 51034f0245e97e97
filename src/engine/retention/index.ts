// What to keep: filters of usage records, and the rules by which the rest goes without being asked.
export { type Alternatives, parseAlternatives } from "./alternatives.ts";
export { type Condition, parseConditions } from "./conditions.ts";
export {
  isFilterKey,
  matchesFilters,
  namesRecords,
  parseFilters,
  type UsageFilter,
} from "./filters.ts";
export * from "./policy.ts";
