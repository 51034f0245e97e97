// What to keep: filters of usage records, and the rules by which the rest goes without being asked.
export { matchesFilters, namesRecords, parseFilters, type UsageFilter } from "./filters.ts";
export * from "./policy.ts";
