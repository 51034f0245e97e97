import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MountPoints } from "./mount-points.ts";

let place: string;
let root: string;
let canary: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "kiln-points-"));
  [root, canary] = [join(place, "root"), join(place, "canary")];
  mkdirSync(join(root, "etc"), { recursive: true });
  mkdirSync(canary);
  writeFileSync(join(canary, "hosts"), "");
  mkdirSync(join(canary, "b"));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

function ensure(points: MountPoints, target: string, kind: "directory" | "file"): void {
  points.ensure(root, target, kind)[Symbol.dispose]();
}

it("takes away what it made and gives times back", () => {
  utimesSync(join(root, "etc"), 1000, 1000);
  const points = new MountPoints();
  ensure(points, "/etc/hosts", "file");
  ensure(points, "/etc/a/b/c", "directory");
  expect(lstatSync(join(root, "etc")).mtimeMs).toBe(1_000_000);
  points.remove(root);
  expect(readdirSync(join(root, "etc"))).toEqual([]);
  expect(lstatSync(join(root, "etc")).mtimeMs).toBe(1_000_000);
});

it("leaves what was there and what has been filled since", () => {
  writeFileSync(join(root, "etc/old"), "");
  const points = new MountPoints();
  for (const one of ["/etc/old", "/etc/new", "/etc/swapped"]) ensure(points, one, "file");
  ensure(points, "/etc/d/e", "directory");
  writeFileSync(join(root, "etc/new"), "kept");
  writeFileSync(join(root, "etc/other"), "");
  renameSync(join(root, "etc/other"), join(root, "etc/swapped"));
  writeFileSync(join(root, "etc/d/e/f"), "");
  points.remove(root);
  expect(readdirSync(join(root, "etc"), { recursive: true }).sort()).toEqual([
    "d",
    "d/e",
    "d/e/f",
    "new",
    "old",
    "swapped",
  ]);
});

it("follows no link that was put in the way meanwhile (CVE-2024-23652)", () => {
  const points = new MountPoints();
  ensure(points, "/etc/hosts", "file");
  ensure(points, "/a/b", "directory");
  rmSync(join(root, "etc"), { recursive: true });
  symlinkSync(canary, join(root, "etc"));
  rmSync(join(root, "a"), { recursive: true });
  symlinkSync(canary, join(root, "a"));
  points.remove(root);
  expect(readdirSync(canary).sort()).toEqual(["b", "hosts"]);
});

it("makes nothing outside when links lead there from the start", () => {
  symlinkSync(canary, join(root, "out"));
  symlinkSync("../../../../../../..".concat(canary), join(root, "etc/up"));
  const points = new MountPoints();
  ensure(points, "/out/new", "directory");
  ensure(points, "/etc/up/new", "directory");
  expect(existsSync(join(canary, "new"))).toBe(false);
  expect(existsSync(join(root, canary, "new"))).toBe(true);
});

it("says what is in the way", () => {
  writeFileSync(join(root, "file"), "");
  const points = new MountPoints();
  expect(() => ensure(points, "/file", "directory")).toThrow("the image has a file there");
  expect(() => ensure(points, "/etc", "file")).toThrow("the image has a directory there");
  expect(() => ensure(points, "/file/x", "directory")).toThrow();
});
