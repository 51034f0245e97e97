// What the local store remembers of names and origins, over real files.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestOf } from "../../base/index.ts";
import { createBlobOrigins, withMirrors } from "./origins.ts";
import { createImageRecords } from "./records.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-records-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const descriptor = {
  mediaType: "application/vnd.oci.image.index.v1+json",
  digest: digestOf("index"),
  size: 5,
};

test("a name is found again by another opening of the same directory", () => {
  const record = { name: "localhost:5000/a:1", descriptor, createdAt: new Date(5000) };
  createImageRecords(join(directory, "images")).set(record);
  expect(createImageRecords(join(directory, "images")).get(record.name)).toEqual(record);
});

test("a name can be moved to another image and forgotten", () => {
  const records = createImageRecords(directory);
  records.set({ name: "a:1", descriptor, createdAt: new Date(1) });
  records.set({ name: "a:1", descriptor: { ...descriptor, size: 6 }, createdAt: new Date(2) });
  expect(records.list().map((one) => one.descriptor.size)).toEqual([6]);
  records.delete("a:1");
  expect(records.get("a:1")).toBeUndefined();
});

test("an empty store has no names", () => {
  expect(createImageRecords(join(directory, "none")).list()).toEqual([]);
});

test("a damaged record is as good as none", () => {
  const records = createImageRecords(directory);
  records.set({ name: "a:1", descriptor, createdAt: new Date(1) });
  for (const file of readdirSync(directory))
    writeFileSync(join(directory, file), '{"name":"a:1","desc');
  expect(records.get("a:1")).toBeUndefined();
  expect(records.list()).toEqual([]);
});

test("the repositories of a blob are kept, latest first, each once", () => {
  const blob = digestOf("layer");
  const origins = createBlobOrigins(directory);
  for (const name of ["r/a", "r/b", "r/a"]) origins.add(blob, name);
  expect(createBlobOrigins(directory).repositories(blob)).toEqual(["r/b", "r/a"]);
  expect(origins.repositories(digestOf("other"))).toEqual([]);
});

test("what came from a mirrored host may be on the mirrors too", () => {
  const blob = digestOf("layer");
  const hosts: Readonly<Record<string, readonly string[]>> = {
    "docker.io": ["http://m:5000", "n/hub/"],
  };
  const origins = withMirrors(createBlobOrigins(directory), (host) => hosts[host] ?? []);
  for (const name of ["m:5000/library/a", "docker.io/library/a", "quay.io/b"])
    origins.add(blob, name);
  expect(origins.repositories(blob)).toEqual([
    "quay.io/b",
    "docker.io/library/a",
    "m:5000/library/a",
    "n/hub/library/a",
  ]);
});
