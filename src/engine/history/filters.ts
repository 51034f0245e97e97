// Filters of build records: `status==error`, `repository~=kiln`, `startedAt>2026-01-02T…`.
import type { BuildRecord } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";

const pattern =
  /^(ref|status|repository|startedAt|completedAt|duration)(==|!=|~=|<=|>=|<|>|=)(.*)$/;

/** What a record says of itself, by the filter's field. */
type Field = (record: BuildRecord) => string | number | undefined;

const fields: Readonly<Record<string, Field>> = {
  ref: (record) => record.ref,
  status: statusOf,
  repository: (record) => record.attrs["vcs:source"] ?? record.attrs["context"],
  startedAt: (record) => record.createdAt.getTime(),
  completedAt: (record) => record.completedAt?.getTime(),
  duration: (record) =>
    record.completedAt && record.completedAt.getTime() - record.createdAt.getTime(),
};

/** `running`, `completed`, `canceled` or `error`. */
function statusOf({ completedAt, error }: BuildRecord): string {
  if (!completedAt) return "running";
  if (!error) return "completed";
  return error.code === 1 ? "canceled" : "error";
}

/** Whether all filters match; a comma separates alternatives within one. Throws `FLAG_INVALID` for what is no filter. */
export function createRecordFilter(filters: readonly string[]): (record: BuildRecord) => boolean {
  const groups = filters.map((text) => text.split(",").map(readFilter));
  return (record) => groups.every((group) => group.some((matches) => matches(record)));
}

function readFilter(text: string): (record: BuildRecord) => boolean {
  const match = pattern.exec(text.trim());
  if (!match) {
    throw new KilnError("FLAG_INVALID", `${JSON.stringify(text)} is not a filter of builds`, {
      hint: "Filters are such as status==error, ref==NAME, startedAt>TIME, duration>1m.",
    });
  }
  const [, name, operator, value] = match as unknown as [string, string, string, string];
  const field = fields[name] as Field;
  const wanted = numberOf(name, value.replace(/^"(.*)"$/, "$1"));
  return (record) => compare(field(record), operator, wanted);
}

function compare(
  found: string | number | undefined,
  operator: string,
  wanted: string | number,
): boolean {
  if (operator === "!=") return found !== wanted;
  if (found === undefined) return false;
  if (operator === "~=") return new RegExp(String(wanted)).test(String(found));
  if (operator === "<") return found < wanted;
  if (operator === "<=") return found <= wanted;
  if (operator === ">") return found > wanted;
  if (operator === ">=") return found >= wanted;
  return found === wanted;
}

const unitsInMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Times and durations compare as milliseconds. */
function numberOf(field: string, text: string): string | number {
  if (field === "duration") {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    return parts.reduce((sum, [, n, unit]) => sum + Number(n) * (unitsInMs[unit ?? ""] ?? 0), 0);
  }
  if (field !== "startedAt" && field !== "completedAt") return text;
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new KilnError("FLAG_INVALID", `${JSON.stringify(text)} is not a time`);
}
