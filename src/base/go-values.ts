// Texts of single values as Go programs read them: booleans, sizes, durations.

const truths = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const falsehoods = new Set(["0", "f", "F", "false", "FALSE", "False"]);

/** Go's strconv.ParseBool; undefined for anything else. */
export function parseBool(text: string): boolean | undefined {
  if (truths.has(text)) return true;
  return falsehoods.has(text) ? false : undefined;
}

const sizePattern = /^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$/i;
const sizeUnits = "kmgtp";

/** A size in bytes with binary units, as docker/go-units RAMInBytes: `64m`, `1.5GiB`, `1024`. Undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = sizePattern.exec(text.trim());
  if (!match?.[1]) return undefined;
  const unit = match[2]?.toLowerCase();
  const factor = unit === undefined ? 1 : 1024 ** (sizeUnits.indexOf(unit) + 1);
  const size = Math.floor(Number(match[1]) * factor);
  return Number.isSafeInteger(size) ? size : undefined;
}

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's time.ParseDuration in milliseconds: `20s`, `1h15m30.5s`, `-1.5h`, `0`. Undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(body)) return undefined;
  let sum = 0;
  for (const [, amount = "", unit = ""] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(amount) * (durationUnits[unit] ?? 0);
  }
  return sign * sum;
}
