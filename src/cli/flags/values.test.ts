// Texts that Go reads as values, and texts that it does not.
import { expect, it } from "vitest";
import { readCsv, writeCsv } from "../../base/index.ts";
import { parseBool, parseDuration, parseInteger, parseSize } from "./values.ts";

const sizes: [string, number | undefined][] = [
  ["0", 0],
  ["32", 32],
  ["32b", 32],
  ["32k", 32768],
  ["32 KB", 32768],
  ["32KiB", 32768],
  ["1.5g", 1610612736],
  ["2T", 2199023255552],
  ["", undefined],
  ["-1", undefined],
  ["1x", undefined],
  ["1..5g", undefined],
  ["g", undefined],
  ["99999999P", undefined],
];
it.each(sizes)("the size %j is %s bytes", (text, bytes) => expect(parseSize(text)).toBe(bytes));

const durations: [string, number | undefined][] = [
  ["0", 0],
  ["20s", 20_000],
  ["1h15m30.918s", 4_530_918],
  ["-1.5h", -5_400_000],
  [".5s", 500],
  ["100ms", 100],
  ["1µs", 0.001],
  ["", undefined],
  ["20", undefined],
  ["s", undefined],
  ["1d", undefined],
  ["1h 2m", undefined],
];
it.each(durations)("the duration %j is %s ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

const integers: [string, number | undefined][] = [
  ["0", 0],
  ["-12", -12],
  ["0x1F", 31],
  ["0755", 493],
  ["0b101", 5],
  ["1_000", 1000],
  ["1.5", undefined],
  ["", undefined],
  ["9007199254740993", undefined],
];
it.each(integers)("the number %j is %s", (text, value) => expect(parseInteger(text)).toBe(value));

it("truth has Go's spellings only", () => {
  expect(["1", "t", "T", "true", "TRUE", "True"].map(parseBool)).toEqual(Array(6).fill(true));
  expect(["0", "f", "F", "false", "FALSE", "False"].map(parseBool)).toEqual(Array(6).fill(false));
  expect(["yes", "", "tRUE", "on"].map(parseBool)).toEqual(Array(4).fill(undefined));
});

const records: [string, string[]][] = [
  ["", []],
  ["a", ["a"]],
  ["a,b", ["a", "b"]],
  ["a,,b,", ["a", "", "b", ""]],
  ['"a,b",c', ["a,b", "c"]],
  ['"say ""hi""",x', ['say "hi"', "x"]],
  ['""', [""]],
  [" a , b ", [" a ", " b "]],
  ["a,b\nc", ["a", "b"]],
];
it.each(records)("the record %j has the fields %j", (text, fields) =>
  expect(readCsv(text)).toEqual(fields),
);

it.each(['a"b', '"a', '"a"b', 'x,"'])("the record %j is refused", (text) => {
  expect(() => readCsv(text)).toThrow(/malformed/);
});

it("pairs with commas are quoted when written", () => {
  expect(
    writeCsv([
      ["a", "1"],
      ["b", "2,3"],
    ]),
  ).toBe('a=1,"b=2,3"');
});
