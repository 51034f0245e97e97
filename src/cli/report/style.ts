// Colour for terminals: which words get which, and when none at all.
import { styleText } from "node:util";

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
}

type Look = Parameters<typeof styleText>[0];

/** A style; `colored` false paints nothing. */
export function createStyle(colored: boolean): Style {
  const paint = (look: Look) => (text: string) =>
    colored && text !== "" ? styleText(look, text) : text;
  return {
    colored,
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    yellow: paint("yellow"),
    green: paint("green"),
    blue: paint("blue"),
    cyan: paint("cyan"),
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
