// Filters of usage records: `KEY=VALUE`, `KEY!=VALUE`, `KEY~=PATTERN` or a bare word.
import type { UsageRecord } from "../../api/index.ts";
import { closest, foreignPattern, KilnError, parseBool, parseDuration } from "../../base/index.ts";

export interface UsageFilter {
  readonly key: string;
  readonly operator: "=" | "!=" | "~=";
  readonly value: string;
}

const keys = [
  "until",
  "id",
  "parents",
  "description",
  "inuse",
  "mutable",
  "immutable",
  "shared",
  "private",
  "type",
];
const flagsOf: Readonly<Record<string, (record: UsageRecord) => boolean>> = {
  inuse: (record) => record.inUse,
  mutable: (record) => record.mutable,
  immutable: (record) => !record.mutable,
  shared: (record) => record.shared,
  private: (record) => !record.shared,
};

/** Whether records have such a field. */
export function isFilterKey(key: string): boolean {
  return keys.includes(key);
}

/** Reads the values of `--filter`; `==` is `=`, as in containerd's filters. Throws `FLAG_INVALID`. */
export function parseFilters(values: readonly string[]): readonly UsageFilter[] {
  return values.map((value) => {
    const match = /^([a-z]+)(?:(!=|~=|==?)(.*))?$/s.exec(value);
    const key = match?.[1] ?? value;
    if (!match || !keys.includes(key)) {
      const near = closest(key, keys);
      throw new KilnError(
        "FLAG_INVALID",
        `invalid value ${JSON.stringify(value)} for --filter: no such key`,
        {
          hint: near === undefined ? `Keys are ${keys.join(", ")}.` : `Did you mean ${near}?`,
        },
      );
    }
    const filter: UsageFilter = {
      key,
      operator: (match[2] ?? "=").replace("==", "=") as UsageFilter["operator"],
      value: match[3] ?? "",
    };
    return checked(filter, value);
  });
}

function checked(filter: UsageFilter, text: string): UsageFilter {
  const wrong = (why: string) =>
    new KilnError("FLAG_INVALID", `invalid value ${JSON.stringify(text)} for --filter: ${why}`);
  if (filter.key === "until" && parseDuration(filter.value) === undefined)
    throw wrong("until needs a duration such as 24h");
  if (flagsOf[filter.key] && filter.value !== "" && parseBool(filter.value) === undefined)
    throw wrong("must be true or false");
  if (filter.operator === "~=") pattern(filter.value)("");
  return filter;
}

/** Patterns come from clients, too: they are tried for a short time. */
const pattern = (text: string) =>
  foreignPattern(
    text,
    (why) =>
      new KilnError(
        "FLAG_INVALID",
        `invalid value ${JSON.stringify(text)} for --filter: not a regular expression: ${why}`,
      ),
  );

/** Whether one of the filters says which records or which kind of them are meant, and not only how old or how used they are. */
export function namesRecords(filters: readonly UsageFilter[]): boolean {
  return filters.some(
    ({ key, operator }) =>
      operator !== "!=" && (key === "id" || key === "type" || key === "description"),
  );
}

/** True when the record passes all filters. */
export function matchesFilters(
  record: UsageRecord,
  filters: readonly UsageFilter[],
  now: Date,
): boolean {
  return filters.every((filter) => matchesFilter(record, filter, now));
}

export function matchesFilter(
  record: UsageRecord,
  { key, operator, value }: UsageFilter,
  now: Date,
): boolean {
  const flag = flagsOf[key];
  if (flag)
    return (flag(record) === (value === "" || parseBool(value) === true)) === (operator !== "!=");
  if (key === "until") {
    const used = record.lastUsedAt ?? record.createdAt;
    return now.getTime() - used.getTime() >= (parseDuration(value) ?? 0);
  }
  const texts =
    key === "parents"
      ? record.parents
      : [key === "id" ? record.id : key === "type" ? record.type : record.description];
  if (operator === "~=") {
    const find = pattern(value);
    return texts.some((text) => find(text) !== undefined);
  }
  return texts.includes(value) === (operator === "=");
}
