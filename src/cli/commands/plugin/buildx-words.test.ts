// What Kiln says of mistakes, in buildx's words.
import { expect, it } from "vitest";
import { KilnError } from "../../../base/index.ts";
import { buildxHint, buildxWords } from "./buildx-words.ts";

it.each([
  [
    "CONTEXT_NOT_FOUND",
    'build context "/x" does not exist',
    'unable to prepare context: path "/x" not found',
  ],
  [
    "FLAG_INVALID",
    "'kiln build' takes exactly 1 argument, but none was given",
    "docker: 'docker buildx build' requires 1 argument",
  ],
  ["FLAG_INVALID", "unknown command: kiln history nope", 'unknown command: "nope"'],
  ["FLAG_INVALID", 'invalid value "x" for --add-host: expected host:ip', "invalid host x"],
  ["UNSUPPORTED", 'there is no cache type "x"', 'unknown cache exporter: "x"'],
  ["FLAG_INVALID", "something else", "something else"],
] as const)("%s: %s", (code, ours, theirs) => {
  expect(buildxWords(new KilnError(code, ours))).toBe(theirs);
});

it("hints name the commands as they were called", () => {
  expect(buildxHint("See which there are: kiln ls. Or 'kiln create'.")).toBe(
    "See which there are: docker buildx ls. Or 'docker buildx create'.",
  );
});
