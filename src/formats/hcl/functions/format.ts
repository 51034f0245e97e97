// `format` and `formatlist`: go-cty's verbs, which are C's printf with `%v` and `%q`.
import { FunctionError, type HclFunction } from "../function.ts";
import { ConversionError, convert } from "../types.ts";
import { numberText, Sequence, type Value } from "../value.ts";
import { jsonText } from "./encoding.ts";
import { list, nullable, text } from "./signature.ts";

const verbPattern = /%(?:\[(\d+)\])?([-+ 0#]*)(\d+|\*)?(?:\.(\d*|\*))?(?:\[(\d+)\])?(.|$)/gsu;

/** Widths and precisions beyond this are mistakes. */
const maxWidth = 10_000;

interface Verb {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly letter: string;
}

/** Takes arguments in order, or by the number that a verb names. */
class Arguments {
  readonly #args: readonly Value[];
  readonly #used = new Set<number>();
  #next = 0;

  constructor(args: readonly Value[]) {
    this.#args = args;
  }

  take(index: string | undefined, verb: string): Value {
    if (index !== undefined) this.#next = Number(index) - 1;
    const at = this.#next++;
    const value = this.#args[at];
    if (value === undefined) {
      throw new FunctionError(
        `not enough arguments for ${JSON.stringify(verb)}: need index ${at} but have ${this.#args.length} total`,
        0,
      );
    }
    this.#used.add(at);
    return value;
  }

  end(): void {
    const { length } = this.#args;
    const last = Math.max(-1, ...this.#used);
    if (last >= length - 1) return;
    throw new FunctionError(`too many arguments; only ${last + 1} used by format string`, last + 2);
  }
}

function formatted(pattern: string, values: readonly Value[]): string {
  const args = new Arguments(values);
  const result = pattern.replace(
    verbPattern,
    (whole, first, flags, width, precision, second, letter) => {
      if (letter === "%") return "%";
      if (letter === "") throw new FunctionError("unexpected end of string in a format verb", 0);
      const number = (text: string | undefined) =>
        text === "*" ? Number(args.take(undefined, whole)) : Number(text || 0);
      const verb: Verb = {
        flags,
        width: Math.min(maxWidth, number(width)),
        precision: precision === undefined ? undefined : Math.min(maxWidth, number(precision)),
        letter,
      };
      return padded(oneVerb(verb, args.take(second ?? first, whole)), verb);
    },
  );
  args.end();
  return result;
}

function oneVerb(verb: Verb, value: Value): string {
  switch (verb.letter) {
    case "v":
      return verb.flags.includes("#") ? jsonText(value) : defaultText(verb, value);
    case "t":
      return String(as(value, "bool", verb.letter));
    case "s":
      return cut(String(as(value, "string", verb.letter)), verb.precision);
    case "q":
      return jsonText(cut(String(as(value, "string", verb.letter)), verb.precision));
  }
  if ("bdoxXeEfgG".includes(verb.letter))
    return numberVerb(verb, Number(as(value, "number", verb.letter)));
  throw new FunctionError(
    `unrecognized format character ${JSON.stringify(verb.letter)} at offset 0`,
    0,
  );
}

function defaultText(verb: Verb, value: Value): string {
  if (typeof value === "string") return cut(value, verb.precision);
  if (typeof value === "number") return signed(verb, value, numberText(Math.abs(value)));
  return jsonText(value);
}

function as(value: Value, type: "bool" | "string" | "number", letter: string): Value {
  if (value === null)
    throw new FunctionError(`unsupported value for "%${letter}": null value cannot be formatted`);
  try {
    return convert(value, type);
  } catch (error) {
    if (error instanceof ConversionError)
      throw new FunctionError(`unsupported value for "%${letter}": ${error.message}`);
    throw error;
  }
}

function cut(value: string, precision: number | undefined): string {
  return precision === undefined ? value : Array.from(value).slice(0, precision).join("");
}

function numberVerb(verb: Verb, value: number): string {
  const size = Math.abs(value);
  const whole = () => BigInt(Math.trunc(size));
  switch (verb.letter) {
    case "d":
      return signed(verb, value, whole().toString());
    case "b":
      return signed(verb, value, whole().toString(2));
    case "o":
      return signed(verb, value, whole().toString(8));
    case "x":
      return signed(verb, value, whole().toString(16));
    case "X":
      return signed(verb, value, whole().toString(16).toUpperCase());
    case "f":
      return signed(verb, value, fixed(size, verb.precision ?? 6));
    case "e":
    case "E":
      return signed(verb, value, exponent(size, verb.precision ?? 6, verb.letter));
  }
  return signed(verb, value, general(size, verb));
}

function fixed(size: number, precision: number): string {
  return size >= 1e21
    ? `${numberText(size)}${precision > 0 ? `.${"0".repeat(precision)}` : ""}`
    : size.toFixed(Math.min(100, precision));
}

function exponent(size: number, precision: number, letter: string): string {
  const text = size.toExponential(Math.min(100, precision));
  const padded_ = text.replace(/e([+-])(\d)$/, "e$10$2");
  return letter === "E" ? padded_.toUpperCase() : padded_;
}

/** `%g`: the exponent form for very large and very small numbers (Go's strconv). */
function general(size: number, verb: Verb): string {
  const digits = verb.precision === undefined ? undefined : Math.max(1, verb.precision);
  const [mantissa = "0", power = "0"] = (
    digits === undefined ? size.toExponential() : size.toExponential(Math.min(100, digits) - 1)
  ).split("e");
  const limit = digits ?? 21;
  if (Number(power) < -4 || Number(power) >= limit) {
    const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    const form = exponent(Number(`${short}e${power}`), short.replace(/^\d\.?/, "").length, "e");
    return verb.letter === "G" ? form.toUpperCase() : form;
  }
  return numberText(Number(`${mantissa}e${power}`));
}

function signed({ flags }: Verb, value: number, text_: string): string {
  if (value < 0) return `-${text_}`;
  return flags.includes("+") ? `+${text_}` : flags.includes(" ") ? ` ${text_}` : text_;
}

function padded(value: string, { flags, width, letter }: Verb): string {
  if (flags.includes("-")) return value.padEnd(width);
  if (!flags.includes("0") || "stqv".includes(letter)) return value.padStart(width);
  const sign = /^[+-]/.exec(value)?.[0] ?? "";
  return sign + value.slice(sign.length).padStart(width - sign.length, "0");
}

/** One text for each element of the lists among the arguments, which are of one length. */
function formatList(pattern: string, args: readonly Value[]): Value {
  const lists = args.filter((arg): arg is Sequence => arg instanceof Sequence);
  const length = lists[0]?.items.length ?? 1;
  if (lists.some(({ items }) => items.length !== length))
    throw new FunctionError("argument lists have inconsistent lengths");
  return list(
    Array.from({ length }, (_, at) =>
      formatted(
        pattern,
        args.map((arg) => (arg instanceof Sequence ? (arg.items[at] ?? null) : arg)),
      ),
    ),
  );
}

export const formatFunctions: Readonly<Record<string, HclFunction>> = {
  format: {
    params: [text("format")],
    rest: nullable("args"),
    call: ([pattern, ...args]) => formatted(String(pattern), args),
  },
  formatlist: {
    params: [text("format")],
    rest: nullable("args"),
    call: ([pattern, ...args]) => formatList(String(pattern), args),
  },
};
