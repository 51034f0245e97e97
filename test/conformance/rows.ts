// The neighbours' own answers, row by row: reads them, compares, and holds the count that was reached.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";

/** One case: `out` is the expected answer, every other member is input. */
export interface Row {
  readonly out: unknown;
  readonly [input: string]: unknown;
}

/** What is wrong with our answer to a row; undefined when it is right. May be a promise, and may throw: that is a wrong answer too. */
export type RowCheck = (row: Row) => unknown;

const checkout = resolve(import.meta.dirname, "../..");
const folder = process.env["KILN_CONFORMANCE"] ?? resolve(checkout, "../shared/conformance");
const expectedFile = join(import.meta.dirname, "expected.json");
const maxShown = Number(process.env["KILN_CONFORMANCE_SHOW"] ?? 3);

/**
 * Declares one test a file: `check` is run on every row, the count is printed, and must not fall below the one in
 * expected.json. KILN_CONFORMANCE names another folder of cases (then every row must pass), KILN_CONFORMANCE_SHOW how many
 * wrong rows are shown, KILN_CONFORMANCE_RAISE=1 writes a higher count down.
 */
export function checkRows(file: string, check: RowCheck): void {
  test(`${file}: no row that was right is wrong`, async () => {
    const path = join(folder, `${file}.jsonl`);
    if (!existsSync(path)) {
      process.stdout.write(`${file}: no cases in ${folder}, skipped\n`);
      return;
    }
    const rows = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "");
    const wrong: string[] = [];
    for (const [index, line] of rows.entries()) {
      wrong.push(...(await wrongRow(JSON.parse(line) as Row, index, check)));
    }
    const passed = rows.length - wrong.length;
    process.stdout.write(`${file}: ${passed}/${rows.length}\n`);
    for (const text of wrong.slice(0, maxShown)) process.stdout.write(`  ${text}\n`);
    expect(passed).toBeGreaterThanOrEqual(atLeast(file, passed, rows.length));
  });
}

/** The difference between what is expected and what we answer, for a check to return. */
export function differs(expected: unknown, actual: unknown): unknown {
  const plain: unknown = actual === undefined ? undefined : JSON.parse(JSON.stringify(actual));
  if (isDeepStrictEqual(plain, expected)) return undefined;
  return firstDifference(expected, plain, "");
}

/** The row's `b64`. */
export function fileOf(row: Row): Uint8Array {
  return Uint8Array.from(atob(String(row["b64"])), (char) => char.charCodeAt(0));
}

async function wrongRow(row: Row, index: number, check: RowCheck): Promise<string[]> {
  let found: unknown;
  try {
    found = await check(row);
  } catch (error) {
    found = error instanceof Error ? (error.stack ?? error.message) : error;
  }
  if (found === undefined) return [];
  return [`row ${index + 1}: ${typeof found === "string" ? found : JSON.stringify(found)}`];
}

function atLeast(file: string, passed: number, total: number): number {
  if (process.env["KILN_CONFORMANCE"] !== undefined) return total;
  const expected = JSON.parse(readFileSync(expectedFile, "utf8")) as Record<string, number>;
  const least = expected[file] ?? 0;
  if (passed > least && process.env["KILN_CONFORMANCE_RAISE"] === "1") {
    const raised = { ...expected, [file]: passed };
    const sorted = Object.fromEntries(Object.entries(raised).sort(([a], [b]) => (a < b ? -1 : 1)));
    writeFileSync(expectedFile, `${JSON.stringify(sorted, undefined, 2)}\n`);
  }
  return least;
}

function firstDifference(expected: unknown, actual: unknown, path: string): string {
  if (isObject(expected) && isObject(actual) && Array.isArray(expected) === Array.isArray(actual)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      if (isDeepStrictEqual(expected[key], actual[key])) continue;
      return firstDifference(expected[key], actual[key], `${path}.${key}`);
    }
  }
  return `${path || "answer"}: expected ${shown(expected)}, got ${shown(actual)}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 600 ? `${text.slice(0, 600)}...` : text;
}
