import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BuildOrigin, type BuildOrigins, openBuildOrigins } from "./index.ts";

const origin: BuildOrigin = {
  target: "default",
  localPath: "/src/app",
  dockerfilePath: "/src/app/build/Dockerfile",
};
let directory: string;
let origins: BuildOrigins;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "origins-"));
  origins = openBuildOrigins(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("are written as buildx writes them", () => {
  origins.save("b", "b0", "abc", origin);
  expect(readFileSync(join(directory, "refs/b/b0/abc"), "utf8")).toBe(
    '{"Target":"default","LocalPath":"/src/app","DockerfilePath":"/src/app/build/Dockerfile"}',
  );
  origins.saveGroup("g", { targets: ["one"], refs: ["b/b0/abc"] });
  expect(readFileSync(join(directory, "refs/__group__/g"), "utf8")).toBe(
    '{"Targets":["one"],"Refs":["b/b0/abc"]}',
  );
});

test("come back as they were", () => {
  const grouped = { ...origin, groupRef: "g" };
  origins.save("b", "b0", "abc", grouped);
  expect(origins.read("b", "b0", "abc")).toEqual(grouped);
  expect(origins.read("b", "b0", "other")).toBeUndefined();
});

test("what is damaged is not known", () => {
  mkdirSync(join(directory, "refs/b/b0"), { recursive: true });
  for (const [name, text] of Object.entries({ half: '{"Target":', list: "[]", number: "1" })) {
    writeFileSync(join(directory, "refs/b/b0", name), text);
    expect(origins.read("b", "b0", name)).toBeUndefined();
  }
  writeFileSync(join(directory, "refs/b/b0/odd"), '{"Target":1,"LocalPath":{}}');
  expect(origins.read("b", "b0", "odd")).toEqual({
    target: "",
    localPath: "",
    dockerfilePath: "",
  });
});

test("no name leaves the directory", () => {
  origins.save("b", "../../outside", "..", origin);
  expect(origins.read("b", "../../outside", "..")).toEqual(origin);
  expect(existsSync(join(directory, "..", "outside"))).toBe(false);
  expect(existsSync(join(directory, "refs/b/%2E%2E%2F%2E%2E%2Foutside"))).toBe(true);
});

test("a builder takes its groups along, once nothing else is in them", () => {
  origins.save("a", "a0", "one", { ...origin, groupRef: "shared" });
  origins.save("b", "b0", "two", { ...origin, groupRef: "shared" });
  origins.save("b", "b1", "three", { ...origin, groupRef: "own" });
  origins.saveGroup("shared", { targets: [], refs: ["a/a0/one", "b/b0/two"] });
  origins.saveGroup("own", { targets: [], refs: ["b/b1/three"] });
  origins.remove("b");
  expect(origins.read("b", "b0", "two")).toBeUndefined();
  expect(origins.readGroup("own")).toBeUndefined();
  expect(origins.readGroup("shared")?.refs).toHaveLength(2);
  origins.remove("a", "a0");
  expect(existsSync(join(directory, "refs/a/a0"))).toBe(false);
  expect(origins.readGroup("shared")).toBeUndefined();
});
