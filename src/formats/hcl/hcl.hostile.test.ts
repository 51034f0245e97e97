// Files that mean no good: deep, endless, huge. Each is refused soon.

import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { isKilnError } from "../../base/index.ts";
import {
  Budget,
  evaluate,
  parseHcl,
  parseHclJson,
  type Scope,
  standardFunctions,
} from "./index.ts";

const functions = standardFunctions({
  now: new Date(0),
  homeDirectory: "/",
  randomBytes: (length) => new Uint8Array(length),
  limited: (work) => runInNewContext("work()", { work }, { timeout: 200 }),
});

function run(text: string): unknown {
  const scope: Scope = {
    budget: new Budget(),
    resolve: () => undefined,
    names: () => [],
    function: (name) => functions.get(name),
    functionNames: () => [],
  };
  const body = parseHcl({ name: "t.hcl", text });
  for (const { expression } of body.attributes.values()) evaluate(expression, scope);
  return undefined;
}

const deep = (open: string, close: string) =>
  `v = ${open.repeat(100_000)}1${close.repeat(100_000)}\n`;

describe("what would not end, or take all memory", () => {
  const doubling = Array.from({ length: 30 }, () => "[for x in [1, 2] : ").join("");
  const attacks: [string, string][] = [
    ["brackets in brackets", deep("[", "]")],
    ["parentheses", deep("(", ")")],
    ["objects", deep("{ a = ", "}")],
    ["signs", deep("-", "")],
    ["conditionals", deep("true ? 1 : ", "")],
    ["templates in templates", deep('"${', '}"')],
    ["directives in directives", `v = "${"%{ if true }".repeat(10_000)}"\n`],
    ["calls in calls", deep("upper(", ")")],
    ["blocks in blocks", `${"a {\n".repeat(100_000)}`],
    ["loops in loops", `v = ${doubling}x${"]".repeat(30)}\n`],
    [
      "a text that doubles",
      `v = ${'join("", [for a in range(1000) : '.repeat(4)}"xxxxxxxxxxxxxxxx"${"])".repeat(4)}\n`,
    ],
    ["a product of sets", `v = setproduct(${Array(6).fill("range(1000)").join(", ")})\n`],
    ["a search that backtracks", `v = regex("^(a+)+$", "${"a".repeat(60)}b")\n`],
    ["a number of many bits", 'v = pow(10, 400)\nw = format("%d", pow(10, 400))\n'],
    ["an indentation", 'v = indent(1000000000, "a\\nb")\n'],
    ["a width", 'v = formatlist("%*d", [for x in range(1024) : 9000000], 1)\n'],
  ];
  it.each(attacks)("%s", (_, text) => {
    const began = performance.now();
    try {
      run(text);
    } catch (error) {
      if (
        !isKilnError(error) &&
        (error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT"
      )
        throw error;
    }
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  it("JSON in JSON", () => {
    const text = `{"a": ${"[".repeat(100_000)}`;
    expect(() => parseHclJson({ name: "t.json", text }, {})).toThrow("Value too deep");
  });

  it("a file of any size", () => {
    const text = `# ${"x".repeat(5 << 20)}\n`;
    expect(() => parseHcl({ name: "t.hcl", text })).toThrow("characters");
  });
});

it("names of objects stay names", () => {
  const body = parseHcl({ name: "t.hcl", text: "__proto__ = 1\nconstructor = 2\n" });
  expect([...body.attributes.keys()]).toEqual(["__proto__", "constructor"]);
});
