// What Kiln says of mistakes, in buildx's words.
import { expect, it } from "vitest";
import { KilnError } from "../../../base/index.ts";
import { buildxHint, buildxWords, countWords, usageText } from "./buildx-words.ts";

it.each([
  [
    "CONTEXT_NOT_FOUND",
    'build context "/x" does not exist',
    'unable to prepare context: path "/x" not found',
  ],
  ["FLAG_INVALID", "unknown command: kiln history nope", 'unknown command: "nope"'],
  ["FLAG_INVALID", 'invalid value "x" for --add-host: expected host:ip', "invalid host x"],
  ["UNSUPPORTED", 'there is no cache type "x"', 'unknown cache exporter: "x"'],
  [
    "FLAG_INVALID",
    'target a: invalid value "x" for --ulimit: expected name=soft[:hard]',
    'invalid argument "x" for "--ulimit" flag: invalid ulimit argument: x',
  ],
  [
    "FLAG_INVALID",
    'invalid value "id=x,nope=1" for --secret: unexpected key "nope"',
    "unexpected key 'nope' in 'nope=1'",
  ],
  ["FLAG_INVALID", "something else", "something else"],
] as const)("%s: %s", (code, ours, theirs) => {
  expect(buildxWords(new KilnError(code, ours)).text).toBe(theirs);
});

it("hints name the commands as they were called", () => {
  const hint = "See which there are: kiln ls. Or 'kiln create'.";
  expect(buildxHint(hint, true)).toBe(
    "See which there are: docker buildx ls. Or 'docker buildx create'.",
  );
  expect(buildxHint(hint, false)).toBe("See which there are: buildx ls. Or 'buildx create'.");
});

it.each([
  ["'kiln build' takes exactly 1 argument, but none was given", "requires 1 argument"],
  ["'kiln ls' takes no arguments, but 1 were given", "requires 0 arguments"],
  ["'kiln use' takes 0 to 1 argument, but 2 were given", "requires at most 1 argument"],
])("%s", (ours, theirs) => {
  const [, name = ""] = /^'kiln (\w+)'/.exec(ours) ?? [];
  const error = new KilnError("FLAG_INVALID", ours, { hint: `Usage: kiln ${name} [OPTIONS] X` });
  expect(countWords(error, true)).toBe(`docker: 'docker buildx ${name}' ${theirs}`);
  expect(countWords(error, false)).toBe(`buildx: 'buildx ${name}' ${theirs}`);
  expect(usageText(error, false)).toBe(
    `\nUsage:  buildx ${name} [OPTIONS] X\n\nRun 'buildx ${name} --help' for more information\n`,
  );
});
