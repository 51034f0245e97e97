import {
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FilePlacer } from "./tree-files.ts";

it("holes of a file stay holes in its copy, and data stays where it was", () => {
  const directory = mkdtempSync(join(tmpdir(), "kiln-sparse-"));
  try {
    const [from, to] = [join(directory, "from"), join(directory, "to")];
    const file = openSync(from, "w");
    writeSync(file, "first", 0);
    writeSync(file, "middle", 40 * 2 ** 20);
    ftruncateSync(file, 20 * 2 ** 30);
    const began = performance.now();
    new FilePlacer(false).place(from, to, statSync(from, { bigint: true }));
    expect(performance.now() - began).toBeLessThan(5000);
    const copy = statSync(to);
    expect(copy.size).toBe(20 * 2 ** 30);
    expect(copy.blocks * 512).toBeLessThan(2 ** 20);
    const small = join(directory, "small");
    ftruncateSync(file, 41 * 2 ** 20);
    new FilePlacer(false).place(from, small, statSync(from, { bigint: true }));
    expect(readFileSync(small).equals(readFileSync(from))).toBe(true);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
