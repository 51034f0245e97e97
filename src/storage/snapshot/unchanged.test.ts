// What is left of an upper directory when all that says nothing is taken out.
import {
  chmodSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { dropUnchanged } from "./unchanged.ts";
import { setOpaque } from "./whiteout.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "kiln-unchanged-"));
  for (const one of ["upper", "lower", "lowest"]) mkdirSync(join(place, one));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

function write(path: string, text = "same", time = 1000): void {
  const full = join(place, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  lutimesSync(full, time, time);
}

function left(): string[] {
  const lower = [join(place, "lower"), join(place, "lowest")];
  dropUnchanged({ upper: join(place, "upper"), lower, userXattr: true });
  return readdirSync(join(place, "upper"), { recursive: true }).map(String).sort();
}

it("files that are as they were go, and with them directories that were passed through", () => {
  write("lower/a/one");
  write("lowest/a/b/two");
  write("upper/a/one");
  write("upper/a/b/two");
  expect(left()).toEqual([]);
});

it("what has another time, mode, size or content stays, in directories with the time they had", () => {
  for (const layer of ["lower", "upper"])
    for (const name of ["time", "mode", "size", "text", "same"]) write(`${layer}/d/${name}`);
  write("upper/d/time", "same", 2000);
  chmodSync(join(place, "upper/d/mode"), 0o600);
  write("upper/d/size", "longer");
  write("upper/d/text", "SAME");
  lutimesSync(join(place, "upper/d"), 500, 500);
  expect(left()).toEqual(["d", "d/mode", "d/size", "d/text", "d/time"]);
  expect(statSync(join(place, "upper/d")).mtimeMs).toBe(500_000);
});

it("a directory with another mode stays", () => {
  for (const layer of ["lower", "upper"]) mkdirSync(join(place, layer, "d"));
  chmodSync(join(place, "upper/d"), 0o700);
  expect(left()).toEqual(["d"]);
});

it("names of one file stay together", () => {
  write("lower/one");
  write("upper/one");
  linkSync(join(place, "upper/one"), join(place, "upper/more"));
  expect(left()).toEqual(["more", "one"]);
});

it("only what can be seen counts: nothing below an opaque directory or in place of a file", () => {
  write("lowest/d/file");
  mkdirSync(join(place, "lower/d"));
  setOpaque(join(place, "lower/d"), true);
  write("upper/d/file");
  write("lowest/x/file");
  write("lower/x");
  write("upper/x/file");
  expect(left()).toEqual(["d", "d/file", "x", "x/file"]);
  expect(existsSync(join(place, "lowest/d/file"))).toBe(true);
});

it("what a new opaque directory holds stays", () => {
  write("lower/d/file");
  write("upper/d/file");
  setOpaque(join(place, "upper/d"), true);
  expect(left()).toEqual(["d", "d/file"]);
});
