// What templates can call: text/template's own functions and those that docker's formatter adds.
import { goJson, isRecord, KilnError } from "../../base/index.ts";
import { sprintf } from "./format-verbs.ts";
import { isTrue, jsonOf, Struct, textOf } from "./values.ts";

export type TemplateFunction = (...values: readonly unknown[]) => unknown;
export type TemplateFunctions = Readonly<Record<string, TemplateFunction>>;

/** `and` and `or` are here for their names; execute.ts runs them, since they stop at the value that decides. */
export const standardFunctions: TemplateFunctions = {
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => {
    if (others.length === 0) throw failed("eq", "needs two values");
    return others.some((other) => same(first, other));
  },
  ne: (a, b) => !same(a, b),
  lt: (a, b) => compare("lt", a, b) < 0,
  le: (a, b) => compare("le", a, b) <= 0,
  gt: (a, b) => compare("gt", a, b) > 0,
  ge: (a, b) => compare("ge", a, b) >= 0,
  index: (value, ...keys) => keys.reduce(indexOne, value),
  slice: (value, from = 0, to = lengthOf(value)) => sliceOf(value, Number(from), Number(to)),
  len: lengthOf,
  print: (...values) => printed(values),
  println: (...values) => `${values.map(textOf).join(" ")}\n`,
  printf: (format, ...values) => sprintf(textOf(format), values),
  html: (...values) => printed(values).replace(/[&<>"'\0]/g, (char) => htmlEscapes[char] ?? char),
  js: (...values) => goJson(printed(values)).slice(1, -1).replaceAll("'", "\\'"),
  urlquery: (...values) => encodeURIComponent(printed(values)).replaceAll("%20", "+"),
  json: (value) => goJson(jsonOf(value)),
  split: (text, separator) => String(text).split(String(separator)),
  join: (values, separator) => listOf("join", values).map(textOf).join(String(separator)),
  title: (text) =>
    String(text).replace(/(?<![\p{L}\p{Nd}_'])\p{L}/gu, (letter) => letter.toUpperCase()),
  lower: (text) => String(text).toLowerCase(),
  upper: (text) => String(text).toUpperCase(),
  pad: (text, before, after) =>
    text === "" ? "" : `${" ".repeat(blanks(before))}${text}${" ".repeat(blanks(after))}`,
  truncate: (text, length) => String(text).slice(0, Math.max(0, Number(length))),
};

const htmlEscapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
  "\0": "\uFFFD",
};

const maxBlanks = 10_000;

function blanks(count: unknown): number {
  return Math.min(Math.max(0, Number(count) || 0), maxBlanks);
}

/** As fmt.Sprint: a blank between neighbours of which neither is a string. */
function printed(values: readonly unknown[]): string {
  return values
    .map((value, i) => {
      const before = values[i - 1];
      const apart = i > 0 && typeof value !== "string" && typeof before !== "string";
      return (apart ? " " : "") + textOf(value);
    })
    .join("");
}

function same(a: unknown, b: unknown): boolean {
  if ((a ?? null) === (b ?? null)) return true;
  const basic = (value: unknown) =>
    value === null || value === undefined || typeof value !== "object";
  if (basic(a) && basic(b)) {
    if (a !== null && b !== null && a !== undefined && b !== undefined && typeof a !== typeof b)
      throw failed("eq", `cannot compare ${textOf(a)} with ${textOf(b)}`);
    return false;
  }
  return goJson(jsonOf(a)) === goJson(jsonOf(b));
}

function compare(name: string, a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw failed(name, `cannot compare ${textOf(a)} with ${textOf(b)}`);
}

function indexOne(value: unknown, key: unknown): unknown {
  if (Array.isArray(value) || typeof value === "string") {
    const at = Number(key);
    if (!Number.isInteger(at) || at < 0 || at >= value.length)
      throw failed("index", `${textOf(key)} is outside a list of ${value.length}`);
    return Array.isArray(value) ? value[at] : value.charCodeAt(at);
  }
  if (value instanceof Struct) throw failed("index", "this is no list and no map");
  if (isRecord(value)) return Object.hasOwn(value, String(key)) ? value[String(key)] : undefined;
  throw failed(
    "index",
    value === undefined || value === null ? "of nothing" : "this is no list and no map",
  );
}

function sliceOf(value: unknown, from: number, to: number): unknown {
  const length = lengthOf(value);
  if (!(from >= 0 && from <= to && to <= length))
    throw failed("slice", `${from}:${to} is outside ${length}`);
  return typeof value === "string" ? value.slice(from, to) : listOf("slice", value).slice(from, to);
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (Array.isArray(value)) return value.length;
  if (isRecord(value) && !(value instanceof Struct)) return Object.keys(value).length;
  throw failed("len", `${textOf(value)} has no length`);
}

function listOf(name: string, value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw failed(name, `${textOf(value)} is no list`);
}

/** The error of a function that was given what it cannot use. */
export function failed(name: string, why: string): KilnError {
  return new KilnError("TEMPLATE_INVALID", `the template failed: ${name}: ${why}`);
}
