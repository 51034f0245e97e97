// Paths inside a root, as a process in it would see them.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveInRoot } from "./root-path.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-root-"));
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/passwd"), "inside");
  const links = {
    bin: "usr/bin",
    absolute: "/etc/passwd",
    climbing: "../../../../etc/passwd",
    "usr/up": "../etc",
    chain: "bin/../up/passwd",
    self: "self",
    ping: "pong",
    pong: "ping",
    slash: "/",
    dangling: "/no/such/place",
    dots: "././/./etc//",
    parent: "..",
  };
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path));
});

afterAll(() => rmSync(root, { recursive: true }));

const resolve = (path: string, followLast = true) => {
  const found = resolveInRoot(root, path, { followLast });
  expect(found === root || found.startsWith(`${root}/`)).toBe(true);
  return found.slice(root.length);
};

describe("with the last link followed", () => {
  it.each([
    ["", ""],
    ["/", ""],
    [".", ""],
    ["..", ""],
    ["/../../..", ""],
    ["etc/passwd", "/etc/passwd"],
    ["/etc//./passwd", "/etc/passwd"],
    ["../../etc/passwd", "/etc/passwd"],
    ["bin", "/usr/bin"],
    ["bin/tool", "/usr/bin/tool"],
    ["bin/../etc", "/usr/etc"],
    ["absolute", "/etc/passwd"],
    ["climbing", "/etc/passwd"],
    ["usr/up/passwd", "/etc/passwd"],
    ["chain", "/etc/passwd"],
    ["slash/slash/slash/etc", "/etc"],
    ["dangling", "/no/such/place"],
    ["dangling/x", "/no/such/place/x"],
    ["dots/passwd", "/etc/passwd"],
    ["parent/etc", "/etc"],
    ["missing/../etc", "/etc"],
    ["missing/deeper/../../bin/x", "/usr/bin/x"],
    ["etc/passwd/not-a-directory", "/etc/passwd/not-a-directory"],
    ["..data/...", "/..data/..."],
  ])("%s is %s", (path, expected) => {
    expect(resolve(path)).toBe(expected);
  });
});

describe("with the last link kept", () => {
  it.each([
    ["bin", "/bin"],
    ["bin/", "/usr/bin"],
    ["bin/.", "/usr/bin"],
    ["slash/bin", "/bin"],
    ["self", "/self"],
    ["usr/up", "/usr/up"],
    ["absolute", "/absolute"],
  ])("%s is %s", (path, expected) => {
    expect(resolve(path, false)).toBe(expected);
  });
});

describe("refuses", () => {
  it.each(["self", "self/x", "ping", "ping/../etc"])("the loop %s", (path) => {
    expect(() => resolve(path)).toThrow(expect.objectContaining({ code: "PATH_INVALID" }));
  });

  it("NUL characters and endless paths", () => {
    expect(() => resolve("etc\0/passwd")).toThrow(
      expect.objectContaining({ code: "PATH_INVALID" }),
    );
    expect(() => resolve("a/".repeat(100_000))).toThrow(
      expect.objectContaining({ code: "PATH_INVALID" }),
    );
  });
});

it("takes the root's own path as it is", () => {
  const link = `${root}-link`;
  symlinkSync(root, link);
  try {
    expect(resolveInRoot(`${link}/`, "bin", { followLast: true })).toBe(`${link}/usr/bin`);
    expect(resolveInRoot("/", "/etc/../usr", { followLast: false })).toBe("/usr");
  } finally {
    rmSync(link);
  }
});

it("agrees with the kernel's chroot", ({ skip }) => {
  if (process.geteuid?.() !== 0) skip("needs root");
  // The kernel has nothing to say about what is not there.
  const paths = [
    "/",
    "bin",
    "bin/..",
    "usr/up",
    "usr/up/..",
    "parent",
    "slash/usr/bin/../..",
    "dots",
    "bin/../../..",
  ];
  const script =
    "use strict; chroot $ARGV[0] or die; for my $p (@ARGV[1..$#ARGV]) { chdir '/' or die; chdir $p or die qq($p); my @s = stat '.'; print qq($s[1]\\n) }";
  const inodes = execFileSync("perl", ["-e", script, root, ...paths], { encoding: "utf8" })
    .trim()
    .split("\n");
  const ours = paths.map((path) =>
    execFileSync("stat", ["-c", "%i", root + resolve(path)], { encoding: "utf8" }).trim(),
  );
  expect(ours).toEqual(inodes);
});
