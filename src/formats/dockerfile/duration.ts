// Durations as Go writes them: "1m30s", "500ms", "1.5h".

/** The shortest interval a health check may have, in nanoseconds: Docker's container.MinimumDuration. */
export const MINIMUM_INTERVAL = 1_000_000;

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n,
  "\u03bcs": 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const largest = (1n << 63n) - 1n;

/** Nanoseconds of Go's duration syntax (time.ParseDuration); undefined when `text` is not a duration. */
export function parseDuration(text: string): number | undefined {
  const negative = text.startsWith("-");
  let rest = negative || text.startsWith("+") ? text.slice(1) : text;
  if (rest === "0") return 0;
  if (rest === "" || rest.length > 100) return undefined;
  let total = 0n;
  while (rest !== "") {
    const match = /^([0-9]*)(?:\.([0-9]*))?([^0-9.]+)/.exec(rest);
    const unit = units[match?.[3] ?? ""];
    const whole = match?.[1] ?? "";
    const fraction = match?.[2] ?? "";
    if (!match || unit === undefined || (whole === "" && fraction === "")) return undefined;
    const decimals = fraction.slice(0, 18);
    total +=
      BigInt(whole || "0") * unit +
      (BigInt(decimals || "0") * unit) / 10n ** BigInt(decimals.length);
    if (total > largest) return undefined;
    rest = rest.slice(match[0].length);
  }
  return Number(negative ? -total : total);
}
