// Colour for terminals: which words get which, and when none at all.
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

/** A style; `colored` false paints nothing. */
export function createStyle(colored: boolean): Style {
  const paint = (begin: number, end: number) => (text: string) =>
    colored && text !== "" ? `\u001b[${begin}m${text}\u001b[${end}m` : text;
  return {
    colored,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    yellow: paint(33, 39),
    green: paint(32, 39),
    blue: paint(34, 39),
    cyan: paint(36, 39),
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
