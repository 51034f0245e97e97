import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { staticProgram } from "../programs/static-program.ts";
import { findEmulators, registration } from "./emulators.ts";
import { parseHandler } from "./host-handlers.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-emulators-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function program(name: string, change: (bytes: Uint8Array) => void = () => {}): string {
  const code = new Uint8Array(8);
  const bytes = staticProgram({ bits: 64, machine: 62, flags: 0, code });
  change(bytes);
  const path = join(directory, name);
  writeFileSync(path, bytes);
  chmodSync(path, 0o755);
  return path;
}

it("finds static emulators by qemu's names, and leaves out those that need a loader", () => {
  program("qemu-aarch64-static");
  program("qemu-riscv64");
  program("buildkit-qemu-s390x");
  // PT_INTERP in the place of PT_LOAD.
  program("qemu-ppc64le", (bytes) => bytes.set([3], 64));
  writeFileSync(join(directory, "qemu-arm-static"), "#!/bin/sh\n");
  expect(findEmulators(directory)).toEqual([
    { architecture: "arm64", path: join(directory, "qemu-aarch64-static") },
    { architecture: "riscv64", path: join(directory, "qemu-riscv64") },
    { architecture: "s390x", path: join(directory, "buildkit-qemu-s390x") },
  ]);
});

it("one that is named for a processor goes before those in directories", () => {
  program("qemu-aarch64-static");
  const own = program("mine");
  const [first] = findEmulators(`arm64=${own}:relative:${directory}`);
  expect(first).toEqual({ architecture: "arm64", path: own });
});

it.each([
  ["arm64", "7f454c460201010000000000000000000200b700"],
  ["arm", "7f454c4601010100000000000000000002002800"],
  ["s390x", "7f454c4602020100000000000000000000020016"],
  ["riscv64", "7f454c460201010000000000000000000200f300"],
])("registers %s by its ELF header, with all flags", (architecture, magic) => {
  const line = registration({ architecture, path: "/q" }) ?? "";
  const [, name, kind, offset, written = "", mask, interpreter, flags] = line.split(":");
  expect([kind, offset, interpreter, flags]).toEqual(["M", "", "/q", "POCF"]);
  expect(written.replaceAll("\\x", "")).toBe(magic);
  expect(mask?.replaceAll("\\x", "")).toHaveLength(magic.length);
  const shown = `enabled\ninterpreter /q\nflags: POCF\noffset 0\nmagic ${magic}\n`;
  expect(parseHandler(name ?? "", shown)?.architecture).toBe(architecture);
});

it("position independent programs and any version of the ABI are taken", () => {
  const line = registration({ architecture: "arm64", path: "/q" }) ?? "";
  expect(line.split(":")[5]?.replaceAll("\\x", "")).toBe(
    "ffffffffffffff00fffffffffffffffffeffffff",
  );
});
