// printf: the verbs of Go's fmt that make sense for documents.
import { goJson } from "../../base/index.ts";
import { textOf } from "./values.ts";

/** Wider fields are a mistake. */
const maxWidth = 10_000;

/** `%s %v %+v %#v %d %q %x %X %t %f %e %g %c %o %b %T %%` with `-+# 0`, width and precision. */
export function sprintf(format: string, values: readonly unknown[]): string {
  let next = 0;
  const pattern = /%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?([a-zA-Z%])/g;
  const text = format.replace(pattern, (whole, flags: string, width, precision, verb: string) => {
    if (verb === "%") return "%";
    const size = (said: string | undefined) =>
      said === "*" ? Number(values[next++]) : Number(said ?? 0);
    const wide = Math.min(size(width), maxWidth);
    const exact = whole.includes(".") ? Math.min(size(precision), 100) : undefined;
    if (next >= values.length) return `%!${verb}(MISSING)`;
    return pad(verbText(verb, flags, exact, values[next++]), wide, flags);
  });
  const extra = values.slice(next).map((value) => `${typeName(value)}=${textOf(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
}

function pad(text: string, width: number, flags: string): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0")) return text.padStart(width);
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}

function verbText(
  verb: string,
  flags: string,
  precision: number | undefined,
  value: unknown,
): string {
  const signed = (text: string) =>
    flags.includes("+") && !text.startsWith("-") ? `+${text}` : text;
  const wrong = () => `%!${verb}(${typeName(value)}=${textOf(value)})`;
  const whole = (base: number) =>
    typeof value === "number" && Number.isInteger(value) ? signed(value.toString(base)) : wrong();
  const real = (text: (n: number) => string) =>
    typeof value === "number" ? signed(text(value)) : wrong();
  switch (verb) {
    case "v":
    case "s":
      return precision === undefined
        ? textOf(value)
        : [...textOf(value)].slice(0, precision).join("");
    case "q":
      return typeof value === "string" ? goJson(value) : textOf(value);
    case "d":
      return whole(10);
    case "o":
      return whole(8);
    case "b":
      return whole(2);
    case "x":
    case "X":
      return hex(value, verb, () => whole(16));
    case "c":
      return typeof value === "number" ? String.fromCodePoint(value) : wrong();
    case "t":
      return typeof value === "boolean" ? String(value) : wrong();
    case "f":
    case "F":
      return real((n) => n.toFixed(precision ?? 6));
    case "e":
      return real((n) => n.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, "e$10$2"));
    case "g":
      return real((n) =>
        precision === undefined ? textOf(n) : String(Number(n.toPrecision(precision || 1))),
      );
    case "T":
      return typeName(value);
    default:
      return wrong();
  }
}

function hex(value: unknown, verb: string, whole: () => string): string {
  const text =
    typeof value === "string"
      ? Array.from(new TextEncoder().encode(value), (byte) =>
          byte.toString(16).padStart(2, "0"),
        ).join("")
      : whole();
  return verb === "X" ? text.toUpperCase() : text;
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  return Array.isArray(value) ? "[]interface {}" : "map[string]interface {}";
}
