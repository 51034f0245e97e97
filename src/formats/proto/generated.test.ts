// The committed code is what the generator makes of proto/ today.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../../..");

it("generated code is up to date with proto/", () => {
  const fresh = mkdtempSync(join(tmpdir(), "kiln-proto-"));
  try {
    execFileSync(join(root, "node_modules/.bin/tsx"), [join(root, "scripts/gen-proto.ts"), fresh]);
    expect(generated(import.meta.dirname)).toEqual(generated(fresh));
  } finally {
    rmSync(fresh, { recursive: true });
  }
});

function generated(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => name.includes("/") && name.endsWith(".ts")).sort();
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}
