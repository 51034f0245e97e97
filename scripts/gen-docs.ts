// Writes the generated pages: `npm run docs` makes docs/cli/*.md and docs/errors.md from the code.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { commandSpecs } from "../src/cli/commands/index.ts";
import { commandPage, globalFlags, indexPage, pageName } from "../src/cli/flags/index.ts";
import { errorPage } from "../src/cli/report/index.ts";

const docs = resolve(import.meta.dirname, "../docs");

/** Path below docs/ and contents of every generated page. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  const specs = await commandSpecs();
  return new Map([
    ["cli/README.md", indexPage(specs, globalFlags)],
    ...specs.map((spec): [string, string] => [`cli/${pageName(spec)}`, commandPage(spec)]),
    ["errors.md", errorPage()],
  ]);
}

if (process.argv[1] === import.meta.filename) {
  const pages = await generatedPages();
  mkdirSync(join(docs, "cli"), { recursive: true });
  for (const name of readdirSync(join(docs, "cli"))) {
    if (name.endsWith(".md") && !pages.has(`cli/${name}`)) rmSync(join(docs, "cli", name));
  }
  for (const [path, text] of pages) {
    mkdirSync(dirname(join(docs, path)), { recursive: true });
    writeFileSync(join(docs, path), text);
  }
  process.stdout.write(`${pages.size} pages written below docs/\n`);
}
