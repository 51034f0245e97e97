// The generated pages are those that the code makes now.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { generatedPages } from "../../../scripts/gen-docs.ts";
import { commandSpecs, root } from "../../../src/cli/commands/index.ts";

const docs = resolve(import.meta.dirname, "../../../docs");

test("docs/cli and docs/errors.md are current: run `npm run docs`", async () => {
  const pages = await generatedPages();
  const stale = [...pages].filter(([path, text]) => read(path) !== text).map(([path]) => path);
  const left = readdirSync(join(docs, "cli")).filter((name) => name.endsWith(".md") && !pages.has(`cli/${name}`));
  expect([stale, left]).toEqual([[], []]);
});

test("the list of commands says what the commands say", async () => {
  const listed = (entries: typeof root.children = [], path: string[] = []): string[] =>
    entries
      .filter(({ hidden }) => !hidden)
      .flatMap((one) => [
        ...(one.load
          ? [`${[...path, one.name].join(" ")} ${(one.aliases ?? []).join(" ")} ${one.summary}`]
          : []),
        ...listed(one.children, [...path, one.name]),
      ]);
  const said = (await commandSpecs()).map((spec) => `${spec.path.join(" ")} ${(spec.aliases ?? []).join(" ")} ${spec.summary}`);
  expect(listed(root.children)).toEqual(said);
});

test("the version is the package's", async () => {
  const { kilnVersion } = await import("../../../src/cli/commands/version.ts");
  const manifest = JSON.parse(readFileSync(join(docs, "../package.json"), "utf8")) as { version: string };
  expect(kilnVersion).toBe(manifest.version);
});

function read(path: string): string | undefined {
  const file = join(docs, path);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
