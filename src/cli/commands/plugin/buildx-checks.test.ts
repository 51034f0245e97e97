// What docker buildx refuses before it builds.
import { expect, it } from "vitest";
import { parseFlags } from "../../flags/index.ts";
import { buildFlags } from "../build/flags.ts";
import { buildxMistakes, cacheMistakes } from "./buildx-checks.ts";

function mistakes(argv: readonly string[], contexts: Readonly<Record<string, string>> = {}) {
  const { flags } = parseFlags(buildFlags, argv, { command: "kiln build" });
  return buildxMistakes(flags, ".", contexts).map(({ message }) => message);
}

it("flags that contradict each other, and empty values", () => {
  expect(mistakes(["--no-cache", "--platform", "linux/arm64"])).toEqual([]);
  expect(mistakes(["--no-cache", "--no-cache-filter", "a", "--platform", "", "-t", ""])).toEqual([
    "--no-cache and --no-cache-filter cannot currently be used together",
    '"" is an invalid OS component of "": invalid argument',
    'invalid tag "": repository name must have at least one component',
  ]);
});

it("targets as contexts, where there are none", () => {
  expect(mistakes([], { a: "target:b", c: "." })).toEqual([
    "failed to find target b for context a",
  ]);
});

it("caches without a place", () => {
  const entries = ["local", "registry", "gha"].map((type) => ({ type, attrs: {} }));
  const messages = (way: "importer" | "exporter") =>
    cacheMistakes(entries, way).map(({ message }) => message);
  expect(messages("importer")).toEqual([
    "local cache importer requires src",
    "registry cache importer requires ref",
  ]);
  expect(messages("exporter")).toEqual([
    "local cache exporter requires dest",
    "registry cache exporter requires ref",
  ]);
});
