// Which emulators are found, and which are pinned.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { digestOf } from "../../../base/index.ts";
import { findEmulators, registration } from "./emulators.ts";
import { exitProgram } from "./exit-program.ts";

const program = exitProgram("386") ?? new Uint8Array();
let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-emulators-"));
  file = join(directory, "qemu-aarch64");
  writeFileSync(file, program);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it("finds emulators by directory and by file, the first of each processor", () => {
  expect(findEmulators(`${directory}:/nonexistent`)).toEqual([
    { architecture: "arm64", path: file },
  ]);
  const other = join(directory, "mine");
  writeFileSync(other, program);
  expect(findEmulators(`arm64=${other}:${directory}`)).toEqual([
    { architecture: "arm64", path: other },
  ]);
});

it("takes the one that is pinned by its digest, and refuses another in its place", () => {
  const pinned = `arm64=${file}@${digestOf(program)}`;
  expect(findEmulators(`${pinned}:/nonexistent`)).toEqual([{ architecture: "arm64", path: file }]);
  writeFileSync(file, new Uint8Array([...program, 0]));
  expect(() => findEmulators(pinned)).toThrow(
    expect.objectContaining({ code: "CHECKSUM_MISMATCH" }),
  );
  rmSync(file);
  expect(() => findEmulators(pinned)).toThrow("cannot be read");
});

it("leaves out what is no program", () => {
  writeFileSync(file, "#!/bin/sh\n");
  expect(findEmulators(directory)).toEqual([]);
});

it("registers an emulator for its processor's programs, open for containers", () => {
  expect(registration({ architecture: "arm64", path: "/q" })).toBe(
    ":qemu-aarch64:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:/q:POCF",
  );
});
