// What -v, --mount and --tmpfs of `kiln run` mean, and what is refused with a word.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseMount, parseTmpfs, parseVolume } from "./run-mounts.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-run-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a volume is a path of this machine, made where it is not there", () => {
  const path = join(directory, "a/b");
  expect(parseVolume("./a/b:/data:ro,z", directory)).toEqual({
    target: "/data",
    readonly: true,
    what: { type: "path", path },
  });
  expect(statSync(path).isDirectory()).toBe(true);
});

test("a volume without a source is memory", () => {
  expect(parseVolume("/x/", directory)).toMatchObject({ readonly: false, what: { type: "tmpfs" } });
});

test("a mount is a directory or file that is there, or memory", () => {
  expect(parseMount(`type=bind,src=${directory},dst=/m,readonly`, "/")).toEqual({
    target: "/m",
    readonly: true,
    what: { type: "path", path: directory },
  });
  expect(parseMount("type=tmpfs,target=/t,tmpfs-size=1m", "/").what).toEqual({
    type: "tmpfs",
    size: 1 << 20,
  });
  expect(parseTmpfs("/t:ro,size=2k")).toEqual({
    target: "/t",
    readonly: true,
    what: { type: "tmpfs", size: 2048 },
  });
});

test.each([
  ["name:/data", /is no path/],
  ["./a:b", /must be absolute/],
  ["./a:/", /root cannot be mounted over/],
  ["./a:/b:rw:x", /expected HOST/],
  ["./a:/b:nonsense", /no option nonsense/],
])("volume %s is refused", (text, why) => {
  expect(() => parseVolume(text, directory)).toThrow(why);
});

test.each([
  ["type=bind,src=nowhere,dst=/m", /no such file or directory/],
  ["type=bind,dst=/m", /needs a source/],
  ["type=tmpfs,dts=/m", /no option dts/],
  ["src=x,dst=/m", /no mounts of type volume/],
  ["type=tmpfs,dst=/m,readonly=perhaps", /true or false/],
  ["type=tmpfs,dst=/m,tmpfs-size=-1", /expected a size/],
])("mount %s is refused", (text, why) => {
  expect(() => parseMount(text, directory)).toThrow(why);
});
