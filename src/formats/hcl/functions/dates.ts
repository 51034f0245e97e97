// Functions of times, which are texts as RFC 3339 writes them.
import { parseDuration } from "../../../base/index.ts";
import { FunctionError, type HclFunction } from "../function.ts";
import { Mapping, type Value } from "../value.ts";
import type { Ambient } from "./index.ts";
import { any, number, simple, text } from "./signature.ts";

/** A time, and how many minutes its zone is ahead of UTC. */
interface Moment {
  readonly ms: number;
  readonly zone: number;
  readonly isUtc: boolean;
}

const momentPattern =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:([Zz])|([+-])(\d\d):(\d\d))$/;

function parseMoment(value: string, argument: number): Moment {
  const match = momentPattern.exec(value);
  const ms = match ? Date.parse(value) : Number.NaN;
  if (!match || Number.isNaN(ms)) {
    throw new FunctionError(
      `not a valid RFC3339 timestamp: cannot use ${JSON.stringify(value)} as a time`,
      argument,
    );
  }
  const [, , , , , , , utc, sign, hours = "0", minutes = "0"] = match;
  const zone = (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -1 : 1);
  return { ms, zone, isUtc: utc !== undefined };
}

/** As RFC 3339 has it, without fractions of seconds. */
function momentText({ ms, zone, isUtc }: Moment): string {
  const local = new Date(ms + zone * 60_000).toISOString().slice(0, 19);
  return local + (isUtc ? "Z" : zoneText(zone, ":"));
}

function zoneText(zone: number, separator: string): string {
  const size = Math.abs(zone);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${zone < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${separator}${two(size % 60)}`;
}

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** go-cty's verbs: runs of one letter; `'text'` stands for itself. */
function formatMoment(format: string, moment: Moment): string {
  const date = new Date(moment.ms + moment.zone * 60_000);
  return format.replace(/'((?:[^']|'')*)'|'|([A-Za-z])\2*/g, (whole, quoted, letter) => {
    if (quoted !== undefined) return quoted.replaceAll("''", "'");
    if (letter === undefined) throw new FunctionError("unterminated literal '", 0);
    const found = verbOf(whole, date, moment);
    if (found !== undefined) return found;
    throw new FunctionError(`invalid date format verb ${JSON.stringify(whole)}`, 0);
  });
}

function verbOf(verb: string, date: Date, { zone, isUtc }: Moment): string | undefined {
  const two = (value: number) => String(value).padStart(2, "0");
  const hour = date.getUTCHours();
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  const month = months[date.getUTCMonth()] ?? "";
  const weekday = weekdays[date.getUTCDay()] ?? "";
  const colon = isUtc ? "Z" : zoneText(zone, ":");
  const verbs: Readonly<Record<string, string>> = {
    YY: two(date.getUTCFullYear() % 100),
    YYYY: String(date.getUTCFullYear()).padStart(4, "0"),
    M: String(date.getUTCMonth() + 1),
    MM: two(date.getUTCMonth() + 1),
    MMM: month.slice(0, 3),
    MMMM: month,
    D: String(date.getUTCDate()),
    DD: two(date.getUTCDate()),
    EEE: weekday.slice(0, 3),
    EEEE: weekday,
    h: String(hour),
    hh: two(hour),
    H: String(twelve),
    HH: two(twelve),
    AA: hour < 12 ? "AM" : "PM",
    aa: hour < 12 ? "am" : "pm",
    m: String(date.getUTCMinutes()),
    mm: two(date.getUTCMinutes()),
    s: String(date.getUTCSeconds()),
    ss: two(date.getUTCSeconds()),
    Z: colon,
    ZZZ: zone === 0 ? "UTC" : zoneText(zone, ""),
    ZZZZ: zoneText(zone, ""),
    ZZZZZ: zoneText(zone, ":"),
  };
  return verbs[verb];
}

function unixMoment(value: Value | undefined): Moment {
  const ms = Number(value) * 1000;
  if (Number.isNaN(new Date(ms).getTime())) throw new FunctionError("the number is no time", 0);
  return { ms, zone: 0, isUtc: true };
}

/** Parts of a time that Terraform's provider of times has. */
function partsOf(moment: Moment): Value {
  const date = new Date(moment.ms);
  const startOfYear = Date.UTC(date.getUTCFullYear(), 0, 1);
  const day = 86_400_000;
  // The week belongs to the year of its Thursday (ISO 8601).
  const thursday = new Date(moment.ms + (4 - (date.getUTCDay() || 7)) * day);
  const isoYear = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(isoYear, 0, 1)) / day / 7) + 1;
  return new Mapping(
    "object",
    Object.entries({
      year: date.getUTCFullYear(),
      year_day: Math.floor((moment.ms - startOfYear) / day) + 1,
      day: date.getUTCDate(),
      month: date.getUTCMonth() + 1,
      month_name: months[date.getUTCMonth()] ?? "",
      weekday: date.getUTCDay(),
      weekday_name: weekdays[date.getUTCDay()] ?? "",
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
      rfc3339: momentText(moment),
      iso_year: isoYear,
      iso_week: week,
    }),
  );
}

/** The clock is asked once for a whole reading. */
export function dateFunctions({ now }: Ambient): Readonly<Record<string, HclFunction>> {
  return {
    formatdate: simple([text("format"), text("time")], ([format, time]) =>
      formatMoment(String(format), parseMoment(String(time), 1)),
    ),
    formattimestamp: simple([text("format"), any("time")], ([format, time]) =>
      formatMoment(
        String(format),
        typeof time === "number" ? unixMoment(time) : parseMoment(String(time), 1),
      ),
    ),
    timeadd: simple([text("timestamp"), text("duration")], ([time, duration]) => {
      const moment = parseMoment(String(time), 0);
      const ms = parseDuration(String(duration));
      if (ms === undefined)
        throw new FunctionError(`invalid duration ${JSON.stringify(duration)}`, 1);
      return momentText({ ...moment, ms: moment.ms + ms });
    }),
    timestamp: {
      params: [],
      call: () => momentText({ ms: now.getTime(), zone: 0, isUtc: true }),
    },
    unixtimestampparse: simple([number("unix_timestamp")], ([value]) => partsOf(unixMoment(value))),
  };
}
