// BUILDKIT_COLORS: which colours progress has, as the reference's clients read it.

/** Select Graphic Rendition parameters: what stands between `ESC[` and `m`. */
export type Color = string;

/** What people may colour: progress, warnings, errors, what was cancelled. */
export interface Colors {
  readonly run?: Color;
  readonly warning?: Color;
  readonly error?: Color;
  readonly cancel?: Color;
}

const roles = ["run", "warning", "error", "cancel"] as const;

const names: Readonly<Record<string, Color>> = {
  black: "30",
  red: "31",
  green: "32",
  yellow: "33",
  blue: "34",
  magenta: "35",
  cyan: "36",
  white: "37",
  "light-black": "90",
  "light-red": "91",
  "light-green": "92",
  "light-yellow": "93",
  "light-blue": "94",
  "light-magenta": "95",
  "light-cyan": "96",
  "light-white": "97",
};

/**
 * Reads `run=green:warning=yellow:error=light-red:cancel=255,165,0`: names, or red, green and blue from 0 to 255. Parts
 * that say nothing known are left out, so that a colour never stops a build.
 */
export function parseColors(text: string | undefined): Colors {
  const pairs = (text ?? "").split(":").map((part): [string, Color | undefined] => {
    const cut = part.indexOf("=");
    return [part.slice(0, cut).trim().toLowerCase(), parseColor(part.slice(cut + 1).trim())];
  });
  const known = pairs.filter(
    ([role, color]) => color !== undefined && roles.some((one) => one === role),
  );
  return Object.fromEntries(known) as Colors;
}

function parseColor(word: string): Color | undefined {
  const name = word.toLowerCase();
  if (Object.hasOwn(names, name)) return names[name];
  const parts = /^(\d{1,3}),(\d{1,3}),(\d{1,3})$/.exec(word)?.slice(1).map(Number);
  if (!parts || parts.some((part) => part > 255)) return undefined;
  return `38;2;${parts.join(";")}`;
}
