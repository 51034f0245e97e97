// Words in the form Go's fmt package gives them: image histories hold such words, and their bytes count.
import { quote } from "../text.ts";

/** A list as `%q` prints it: `["a" "b"]`. */
export function goQuoteList(words: readonly string[]): string {
  return `[${words.map(quote).join(" ")}]`;
}

/** A list as `%v` prints it: `[a b]`. */
export function goList(words: readonly (string | number)[]): string {
  return `[${words.join(" ")}]`;
}

/** A duration in nanoseconds as Go prints it: `1m30s`, `1.5ms`, `0s`. */
export function goDuration(nanoseconds: number): string {
  if (nanoseconds < 0) return `-${goDuration(-nanoseconds)}`;
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${decimal(nanoseconds, 1e3)}µs`;
  if (nanoseconds < 1e9) return `${decimal(nanoseconds, 1e6)}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${decimal(nanoseconds - minutes * 60e9, 1e9)}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

/** `value / unit` without trailing zeros, exact for integers. */
function decimal(value: number, unit: number): string {
  const whole = Math.floor(value / unit);
  const digits = String(Math.log10(unit));
  const rest = String(value - whole * unit)
    .padStart(Number(digits), "0")
    .replace(/0+$/, "");
  return rest === "" ? String(whole) : `${whole}.${rest}`;
}
