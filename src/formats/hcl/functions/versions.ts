// Semantic versions against constraints.
import { FunctionError, type HclFunction } from "../function.ts";
import { simple, text } from "./signature.ts";

interface Version {
  readonly numbers: readonly [number, number, number];
  /** How many of the numbers were written. */
  readonly written: number;
  readonly pre: string;
}

const versionPattern =
  /^v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

function parseVersion(value: string, argument: number): Version {
  const match = versionPattern.exec(value.trim());
  if (!match)
    throw new FunctionError(`invalid semantic version ${JSON.stringify(value)}`, argument);
  const [, major = "0", minor, patch, pre = ""] = match;
  const isNumber = (part: string | undefined) => part !== undefined && /^\d+$/.test(part);
  const written = 1 + (isNumber(minor) ? 1 : 0) + (isNumber(minor) && isNumber(patch) ? 1 : 0);
  const number = (part: string | undefined) => (isNumber(part) ? Number(part) : 0);
  return { numbers: [Number(major), number(minor), number(patch)], written, pre };
}

function compareVersions(a: Version, b: Version): number {
  for (const [at, number] of a.numbers.entries()) {
    const other = b.numbers[at] ?? 0;
    if (number !== other) return number - other;
  }
  return comparePre(a.pre, b.pre);
}

/** What comes before a release is less than it (semver.org, 11). */
function comparePre(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? 1 : -1;
  const [left, right] = [a.split("."), b.split(".")];
  for (const [at, part] of left.entries()) {
    const other = right[at];
    if (other === undefined) return 1;
    if (part === other) continue;
    const numbers = [part, other].map((one) => /^\d+$/.test(one));
    if (numbers[0] && numbers[1]) return Number(part) - Number(other);
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
    return part < other ? -1 : 1;
  }
  return -1;
}

/** The first version above all that begin with the same `keep` numbers. */
function nextAbove({ numbers }: Version, keep: number): Version {
  const next = numbers.map((number, at) =>
    at < keep - 1 ? number : at === keep - 1 ? number + 1 : 0,
  );
  return { numbers: [next[0] ?? 0, next[1] ?? 0, next[2] ?? 0], written: 3, pre: "" };
}

function within(version: Version, low: Version, keep: number): boolean {
  return compareVersions(version, low) >= 0 && compareVersions(version, nextAbove(low, keep)) < 0;
}

function satisfiesOne(version: Version, constraint: string): boolean {
  const [, operator = "", rest = ""] =
    /^(=|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*(.*)$/s.exec(constraint) ?? [];
  if (/^[xX*]?$/.test(rest)) return true;
  const wanted = parseVersion(rest, 1);
  const order = compareVersions(version, wanted);
  // Releases that are not out yet are wanted only by who names one.
  if (version.pre !== "" && wanted.pre === "") return false;
  const isPartial = wanted.written < 3;
  switch (operator) {
    case "!=":
      return isPartial ? !within(version, wanted, wanted.written) : order !== 0;
    case ">":
      return isPartial
        ? compareVersions(version, nextAbove(wanted, wanted.written)) >= 0
        : order > 0;
    case ">=":
    case "=>":
      return order >= 0;
    case "<":
      return order < 0;
    case "<=":
    case "=<":
      return isPartial
        ? compareVersions(version, nextAbove(wanted, wanted.written)) < 0
        : order <= 0;
    case "~":
    case "~>":
      return within(version, wanted, Math.min(2, wanted.written));
    case "^": {
      const first = wanted.numbers.findIndex((number) => number > 0);
      return within(version, wanted, first === -1 ? wanted.written : first + 1);
    }
  }
  return isPartial ? within(version, wanted, wanted.written) : order === 0;
}

/** Alternatives by `||`, of parts by commas or blanks that all hold; `1.2 - 1.4` is a range. */
function satisfies(version: Version, constraints: string): boolean {
  return constraints.split("||").some((alternative) => {
    const ranged = alternative.replace(/(\S+)\s+-\s+(\S+)/g, ">=$1 <=$2");
    const parts = ranged.match(/(?:[=!<>~^]+\s*)?[^\s,=!<>~^]+/g) ?? [];
    return parts.length > 0 && parts.every((part) => satisfiesOne(version, part));
  });
}

export const versionFunctions: Readonly<Record<string, HclFunction>> = {
  semvercmp: simple([text("version"), text("constraint")], ([version, constraint]) =>
    satisfies(parseVersion(String(version), 0), String(constraint)),
  ),
};
