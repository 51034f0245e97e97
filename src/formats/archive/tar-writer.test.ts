// Headers against those that Go's archive/tar writes in its PAX format.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TarHeader } from "./tar-header.ts";
import { encodeTarHeader, tarPadding } from "./tar-writer.ts";

const seconds = 1_000_000_000n;
const plain: TarHeader = {
  path: "f",
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 1_700_000_000n * seconds,
};
const longPath = `${"d/".repeat(60)}file`;
const bytes = (...values: number[]) => new Uint8Array(values);
const text = (value: string) => new TextEncoder().encode(value);

const headers: Readonly<Record<string, TarHeader>> = {
  "plain file": { ...plain, path: "etc/hosts", size: 5 },
  directory: { ...plain, path: "etc", type: "directory", mode: 0o755, uid: 1000, gid: 1000 },
  symlink: { ...plain, path: "bin", type: "symlink", linkname: "usr/bin", mode: 0o777 },
  hardlink: { ...plain, path: "b", type: "hardlink", linkname: "a" },
  device: {
    ...plain,
    path: "dev/null",
    type: "char-device",
    mode: 0o666,
    devMajor: 1,
    devMinor: 3,
  },
  fifo: { ...plain, path: "p", type: "fifo", mode: 0o600 },
  "long path": { ...plain, path: longPath, size: 1 },
  "long directory": { ...plain, path: "abcdefghi/".repeat(12), type: "directory", mode: 0o755 },
  "path of 100 bytes": { ...plain, path: "x".repeat(100) },
  "directory cut at a slash": { ...plain, path: `${"y".repeat(98)}//z` },
  "unicode path": { ...plain, path: "srv/größe/файл", size: 3 },
  "unicode link": { ...plain, path: "l", type: "symlink", linkname: "größe", mode: 0o777 },
  "long link": { ...plain, path: "l", type: "symlink", linkname: "t".repeat(150), mode: 0o777 },
  "large ids": { ...plain, mode: 0o4755, uid: 3_000_000, gid: 2_097_151 },
  "large size": { ...plain, size: 8_589_934_592 },
  nanoseconds: { ...plain, mtime: 1_700_000_000n * seconds + 123_456_700n },
  "before 1970": { ...plain, mtime: -5n * seconds },
  "before 1970 with nanoseconds": { ...plain, mtime: -5n * seconds + 250_000_000n },
  capability: {
    ...plain,
    path: "usr/bin/ping",
    mode: 0o755,
    xattrs: new Map([["security.capability", bytes(1, 0, 0, 2, 0, 0x24, 0, 0x0a, 0xff)]]),
  },
  "two attributes and a long path": {
    ...plain,
    path: longPath,
    mode: 0o755,
    xattrs: new Map([
      ["user.b", text("1")],
      ["user.a", text("v".repeat(95))],
    ]),
  },
};

describe("a tar header has the bytes that Go writes:", () => {
  const golden: readonly (readonly [string, string])[] = JSON.parse(
    readFileSync(join(import.meta.dirname, "golden/go-headers.json"), "utf8"),
  );
  it.each(golden)("%s", (name, expected) => {
    const header = headers[name];
    expect(header).toBeDefined();
    const found = encodeTarHeader(header!);
    expect(found.length % 512).toBe(0);
    // The golden file has the zeros at the end left out.
    const hex = [...found].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(hex.replace(/0+$/, "")).toBe(expected);
  });

  it("covers every case here", () => {
    expect(golden.map(([name]) => name).sort()).toEqual(Object.keys(headers).sort());
  });
});

it("pads contents to whole blocks", () => {
  expect([0, 1, 511, 512, 513].map(tarPadding)).toEqual([0, 511, 1, 0, 511]);
});
