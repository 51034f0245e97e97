// What is read out of the kernel's answer is what Node says of the same file.
import { execFileSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { statFile } from "./file-stat.ts";

const root = mkdtempSync(join(tmpdir(), "kiln-stat-"));
afterAll(() => rmSync(root, { recursive: true }));

test("files of every kind are as Node has them", () => {
  const at = (name: string) => join(root, name);
  writeFileSync(at("file"), "twelve bytes", { mode: 0o640 });
  utimesSync(at("file"), -5.25, -1234.5);
  linkSync(at("file"), at("second"));
  symlinkSync("nowhere", at("link"));
  mkdirSync(at("directory"));
  execFileSync("mkfifo", [at("fifo")]);
  writeFileSync(at("größer"), "");
  const names = ["file", "second", "link", "directory", "fifo", "größer"].map(at);
  for (const path of [...names, "/dev/null"]) {
    const stat = lstatSync(path, { bigint: true });
    const found = statFile(path);
    expect(found).toMatchObject({
      mode: Number(stat.mode),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: Number(stat.size),
      nlink: Number(stat.nlink),
      mtime: stat.mtimeNs,
      ctime: stat.ctimeNs,
      ino: stat.ino,
      rdev: stat.rdev,
    });
  }
  expect(statFile(at("file"))?.dev).toBe(statFile(at("second"))?.dev);
});

test("what is not there has nothing to say", () => {
  expect(statFile(join(root, "missing"))).toBeUndefined();
  expect(() => statFile("/dev/null/below")).toThrow(/ENOTDIR/);
});
