import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { formatPlatform, type Platform } from "../../../formats/oci/index.ts";
import { emulatorMissing } from "./advice.ts";
import { findEmulation } from "./emulation.ts";
import { hostHandlerEmulations, parseHandler, readHandlerTable } from "./host-handlers.ts";
import { nativeEmulation, nativePlatforms } from "./native.ts";

const arm64Entry = `enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
`;
const armEntry = arm64Entry
  .replaceAll("aarch64", "arm")
  .replace("0201010000", "0101010000")
  .replace("b700", "2800");

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-binfmt-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function table(entries: Readonly<Record<string, string>>) {
  writeFileSync(join(directory, "register"), "");
  for (const [name, text] of Object.entries({ status: "enabled\n", ...entries }))
    writeFileSync(join(directory, name), text);
  return readHandlerTable(directory);
}

it("reads what the kernel prints of a handler", () => {
  expect(parseHandler("qemu-aarch64", arm64Entry)).toEqual({
    name: "qemu-aarch64",
    enabled: true,
    interpreter: "/usr/libexec/qemu-binfmt/aarch64-binfmt-P",
    flags: "POF",
    architecture: "arm64",
  });
});

it.each([
  ["a script's", "enabled\ninterpreter /usr/bin/python3\nflags: \noffset 0\nmagic 550d0d0a\n"],
  ["an extension's", "enabled\ninterpreter /usr/bin/jar\nflags: \nextension .jar\n"],
  ["one that has just gone", ""],
])("leaves out a handler that is not for programs: %s", (_, text) => {
  expect(parseHandler("x", text)).toBeUndefined();
});

it("offers what handlers run in containers, in the usual order, and nothing that runs natively", () => {
  const found = table({
    "qemu-arm": armEntry,
    "qemu-aarch64": arm64Entry,
    "qemu-x86_64": arm64Entry.replace("b700", "3e00"),
    "qemu-off": armEntry.replace("enabled", "disabled"),
    "qemu-nofix": arm64Entry.replace("POF", "PO").replace("b700", "f300"),
  });
  const ways = hostHandlerEmulations(found, new Set(["amd64"]));
  expect(ways.flatMap(({ platforms }) => platforms.map(formatPlatform))).toEqual([
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/arm/v5",
  ]);
  const off = table({ status: "disabled\n", "qemu-aarch64": arm64Entry });
  expect(hostHandlerEmulations(off, new Set())).toEqual([]);
});

it("knows a place that is not a binfmt_misc", () => {
  mkdirSync(join(directory, "empty"));
  expect(readHandlerTable(join(directory, "empty")).mounted).toBe(false);
  expect(readHandlerTable(join(directory, "none")).mounted).toBe(false);
});

const flags = (level: number) =>
  `processor : 0\nflags\t\t: fpu ${["cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3", "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave", "avx512bw avx512cd avx512dq avx512f avx512vl"].slice(0, level - 1).join(" ")}\n`;

it.each([
  ["x64", flags(1), true, "linux/amd64 linux/386"],
  ["x64", flags(3), false, "linux/amd64 linux/amd64/v2 linux/amd64/v3"],
  ["x64", flags(4), true, "linux/amd64 linux/amd64/v2 linux/amd64/v3 linux/amd64/v4 linux/386"],
  ["arm64", "", true, "linux/arm64 linux/arm/v7 linux/arm/v6"],
  ["arm64", "", false, "linux/arm64"],
  ["arm", "CPU architecture: 7\n", false, "linux/arm/v7 linux/arm/v6"],
  ["riscv64", "", false, "linux/riscv64"],
])("knows what a machine runs: %s", (nodeArchitecture, cpuinfo, runs32Bit, platforms) => {
  expect(
    nativePlatforms({ nodeArchitecture, cpuinfo, runs32Bit }).map(formatPlatform).join(" "),
  ).toBe(platforms);
});

it("takes a level that is no higher, and none that is", () => {
  const native = nativeEmulation({ nodeArchitecture: "x64", cpuinfo: flags(3), runs32Bit: false });
  const runs = (architecture: string, variant?: string) =>
    findEmulation([native], { os: "linux", architecture, ...(variant ? { variant } : {}) }) !==
    undefined;
  expect([runs("amd64"), runs("amd64", "v2"), runs("amd64", "v3")]).toEqual([true, true, true]);
  expect([runs("amd64", "v4"), runs("amd64", "odd"), runs("386"), runs("arm64")]).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

it.each([
  ["nothing is registered", {}, [], "apt-get install qemu-user-static"],
  [
    "qemu is installed only",
    {},
    ["/usr/bin/qemu-aarch64-static"],
    "update-binfmts --enable qemu-aarch64",
  ],
  [
    "it is switched off",
    { "qemu-aarch64": arm64Entry.replace("enabled", "disabled") },
    [],
    "echo 1 > /proc/sys/fs/binfmt_misc/qemu-aarch64",
  ],
  [
    "all are switched off",
    { status: "disabled\n", "qemu-aarch64": arm64Entry },
    [],
    "echo 1 > /proc/sys/fs/binfmt_misc/status",
  ],
  [
    "it does not work in containers",
    { "qemu-aarch64": arm64Entry.replace("POF", "PO") },
    [],
    "flags OPF",
  ],
])("gives the command that helps when %s", (_, entries, files: readonly string[], hint) => {
  const platform: Platform = { os: "linux", architecture: "arm64" };
  const error = emulatorMissing(platform, {
    table: table(entries),
    platforms: [],
    exists: (path) => files.includes(path),
  });
  expect(error.code).toBe("EMULATOR_MISSING");
  expect(error.hint).toContain(hint);
});

it("says that other systems do not run here", () => {
  const error = emulatorMissing(
    { os: "windows", architecture: "amd64" },
    { table: table({}), platforms: [], exists: () => false },
  );
  expect(error.message).toContain("only Linux");
});
