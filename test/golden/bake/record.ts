// Asks a real docker-buildx what it makes of the cases: `BUILDX=/path/to/docker-buildx npx tsx test/golden/bake/record.ts`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BakeCase, readCases, writeFiles } from "./cases.ts";

const buildx = process.env["BUILDX"] ?? "docker-buildx";

for (const one of readCases()) {
  const file = join(import.meta.dirname, "cases", `${one.name}.txt`);
  const [input = ""] = readFileSync(file, "utf8").split(/^-- (?:printed|refused) --\n/m);
  writeFileSync(file, input + answer(one));
}

function answer(one: BakeCase): string {
  const cwd = mkdtempSync(join(tmpdir(), "bake-record-"));
  try {
    writeFiles(one, cwd);
    const { status, stdout, stderr } = spawnSync(buildx, ["bake", "--print", ...one.args], {
      cwd,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], HOME: cwd, BUILDX_CONFIG: join(cwd, ".buildx"), ...one.env },
    });
    if (status === 0) return `-- printed --\n${stdout}`;
    // The first mistake without its place: that is shown in another form.
    const words = stderr
      .slice(stderr.lastIndexOf("ERROR: ") + "ERROR: ".length)
      .replace(/(\.)?, and \d+ other diagnostic\(s\)\n$/, "$1\n")
      .replace(/^(?:failed to parse [^:]*: (?:parsing yaml: .*, parsing hcl: )?)?\S+:\d+,\d+-(?:\d+,)?\d+: /, "");
    return `-- refused --\n${words}`;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
