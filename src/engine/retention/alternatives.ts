// BuildKit's filters of usage records: of several texts one has to hold, and in it every condition.
import type { UsageRecord } from "../../api/index.ts";
import { type Condition, parseConditions } from "./conditions.ts";
import { isFilterKey, matchesFilter, namesRecords, type UsageFilter } from "./filters.ts";

export interface Alternatives {
  holds(record: UsageRecord, now: Date): boolean;
  /** Whether they say which records are meant, as `namesRecords` does. */
  readonly named: boolean;
}

/** An empty text, and no text at all, hold for every record. Throws `FLAG_INVALID` for what is no filter. */
export function parseAlternatives(texts: readonly string[]): Alternatives {
  const all = texts.map(parseConditions);
  if (all.length === 0 || all.some((one) => one.length === 0))
    return { holds: () => true, named: false };
  const tests = all.map((one) => one.map(testOf));
  return {
    holds: (record, now) => tests.some((one) => one.every((test) => test(record, now))),
    named: all.some((one) => namesRecords(one.flatMap((each) => filterOf(each) ?? []))),
  };
}

/** A field that records do not have is nowhere, and different from everything. */
function testOf(condition: Condition): (record: UsageRecord, now: Date) => boolean {
  const filter = filterOf(condition);
  if (!filter) return () => condition.operator === "!=";
  if (condition.operator !== "present") return (record, now) => matchesFilter(record, filter, now);
  switch (filter.key) {
    case "id":
    case "type":
    case "description": {
      const { key } = filter;
      return (record) => record[key] !== "";
    }
    case "parents":
      return (record) => record.parents.length > 0;
    default:
      return (record, now) => matchesFilter(record, filter, now);
  }
}

function filterOf({ field, operator, value }: Condition): UsageFilter | undefined {
  const key = field.join(".");
  if (!isFilterKey(key)) return undefined;
  return { key, operator: operator === "!=" || operator === "~=" ? operator : "=", value };
}
