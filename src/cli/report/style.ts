// Colour for terminals: which words get which, and when none at all.
import type { Colors } from "./colors.ts";

/** Paints text for one stream. Without colour every function returns its text unchanged. */
export interface Style {
  readonly colored: boolean;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
  readonly blue: (text: string) => string;
  readonly cyan: (text: string) => string;
  /** What was cancelled. */
  readonly cancelled: (text: string) => string;
}

/** A style; `colored` false paints nothing. `colors` replace those of progress, warnings, errors and cancelled steps. */
export function createStyle(colored: boolean, colors: Colors = {}): Style {
  const paint = (begin: number | string, end: number) => (text: string) =>
    colored && text !== "" ? `\u001b[${begin}m${text}\u001b[${end}m` : text;
  return {
    colored,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(colors.error ?? 31, 39),
    yellow: paint(colors.warning ?? 33, 39),
    green: paint(colors.run ?? 32, 39),
    blue: paint(colors.run ?? 34, 39),
    cyan: paint(colors.run ?? 36, 39),
    cancelled: paint(colors.cancel ?? 33, 39),
  };
}

/** Colour is for terminals that can, and for people who have not said NO_COLOR (https://no-color.org). */
export function wantsColor(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (env["NO_COLOR"]) return false;
  if (env["FORCE_COLOR"] !== undefined) return env["FORCE_COLOR"] !== "0";
  return isTerminal && env["TERM"] !== "dumb";
}
