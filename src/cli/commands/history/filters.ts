// --filter of the history: docker's way of writing filters, and ages in the place of times.
import { KilnError, parseDuration } from "../../../base/index.ts";

const pattern =
  /^(ref|repository|status|startedAt|completedAt|duration)(==|!=|~=|<=|>=|<|>|=)(.*)$/;
const ordered = ["startedAt", "completedAt", "duration"];

/** As filters of records are written. Throws `FLAG_INVALID`. */
export function readFilters(texts: readonly string[], now: Date): readonly string[] {
  return texts.map((text) => readFilter(text, now));
}

function readFilter(text: string, now: Date): string {
  const match = pattern.exec(text.trim());
  if (!match) throw invalid(text, "Filters are such as status=error, repository=URL, duration>1m.");
  const [, name, operator, value] = match as unknown as [string, string, string, string];
  const compares = /[<>]/.test(operator);
  if (ordered.includes(name) !== compares)
    throw invalid(
      text,
      compares ? `${name} is compared with = and !=.` : `${name} is compared with < and >.`,
    );
  if (!compares) return `${name}${operator === "=" ? "==" : operator}${value}`;
  const age = parseDuration(value);
  if (name === "duration") {
    if (age === undefined) throw invalid(text, "Durations are such as 90s and 1h30m.");
    return `${name}${operator}${value}`;
  }
  const time = age === undefined ? Date.parse(value) : now.getTime() - age;
  if (Number.isNaN(time))
    throw invalid(text, "Times are such as 2026-01-31, or 24h for so long ago.");
  return `${name}${operator}${new Date(time).toISOString()}`;
}

function invalid(text: string, hint: string): KilnError {
  return new KilnError("FLAG_INVALID", `invalid filter ${JSON.stringify(text)}`, { hint });
}
