import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isKilnError, uncancelled } from "../../base/index.ts";
import {
  type BuilderRecord,
  checkBuilderName,
  openBuilderStore,
  parseRecord,
  randomBuilderName,
  recordText,
} from "./index.ts";

const remote: BuilderRecord = {
  name: "b1",
  driver: "remote",
  nodes: [
    {
      name: "b10",
      endpoint: "tcp://127.0.0.1:1",
      platforms: [{ os: "linux", architecture: "arm", variant: "v7" }],
      driverOpts: { servername: "s", cacert: "/ca" },
      flags: ["--debug"],
      files: { "buildkitd.toml": new TextEncoder().encode("debug = true\n") },
    },
  ],
  dynamic: false,
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "builders-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("records", () => {
  test("are written with Go's member names and order", () => {
    expect(recordText(remote)).toBe(
      '{"Name":"b1","Driver":"remote","Nodes":[{"Name":"b10","Endpoint":"tcp://127.0.0.1:1","Platforms":[{"architecture":"arm","os":"linux","variant":"v7"}],"DriverOpts":{"cacert":"/ca","servername":"s"},"Flags":["--debug"],"Files":{"buildkitd.toml":"ZGVidWcgPSB0cnVlCg=="}}],"Dynamic":false}',
    );
  });

  test("come back as they were", () => {
    expect(parseRecord(recordText(remote), "b1")).toEqual(remote);
  });

  test("are refused when they are not what they should be", () => {
    const bad = [
      "",
      "[]",
      '{"Name":1}',
      '{"Nodes":{}}',
      '{"Nodes":[1]}',
      '{"Nodes":[{"Flags":[1]}]}',
      '{"Nodes":[{"Platforms":{}}]}',
      '{"Nodes":[{"DriverOpts":{"a":1}}]}',
      '{"Nodes":[{"Files":[]}]}',
      `{"Nodes":[${"{},".repeat(1000)}{}]}`,
    ];
    for (const text of bad)
      expect(() => parseRecord(text, "x"), text).toThrow(/the builder in x cannot be read/);
  });
});

describe("the store", () => {
  test("keeps builders until they are removed", async () => {
    const store = openBuilderStore(directory);
    await store.change((change) => change.save(remote), uncancelled);
    store.touch("b1", new Date("2026-01-02T03:04:05.678Z"));
    expect(openBuilderStore(directory).names()).toEqual(["b1"]);
    expect(store.read("b1")).toEqual(remote);
    expect(store.lastActivity("b1")).toEqual(new Date("2026-01-02T03:04:05Z"));
    expect(readFileSync(join(directory, "activity/b1"), "utf8")).toBe("2026-01-02T03:04:05Z");
    await store.change((change) => change.remove("b1"), uncancelled);
    expect(store.read("b1")).toBeUndefined();
    expect(existsSync(join(directory, "activity/b1"))).toBe(false);
  });

  test("refuses to remove what it does not have", async () => {
    const store = openBuilderStore(directory);
    const removal = store.change((change) => change.remove("no"), uncancelled);
    await expect(removal).rejects.toSatisfy((error) => isKilnError(error, "BUILDER_NOT_FOUND"));
  });

  test("remembers the choice for its endpoint only", async () => {
    const store = openBuilderStore(directory);
    const use = (name: string, global: boolean, asDefault: boolean) =>
      store.change(
        (change) => change.setCurrent("unix:///a", name, { global, default: asDefault }),
        uncancelled,
      );
    await use("one", false, false);
    expect([store.current("unix:///a"), store.current("unix:///b")]).toEqual(["one", ""]);
    await use("two", true, false);
    expect([store.current("unix:///a"), store.current("unix:///b")]).toEqual(["two", "two"]);
    await use("three", false, true);
    await store.change(
      (change) => change.setCurrent("unix:///b", "four", { global: false, default: false }),
      uncancelled,
    );
    expect([store.current("unix:///a"), store.current("unix:///b")]).toEqual(["three", "four"]);
    await use("", false, false);
    expect(store.current("unix:///a")).toBe("");
  });

  test("names a default by the beginning of its endpoint's hash", async () => {
    const store = openBuilderStore(directory);
    const key = "unix:///var/run/docker.sock";
    await store.change(
      (change) => change.setCurrent(key, "x", { global: false, default: true }),
      uncancelled,
    );
    expect(readFileSync(join(directory, "defaults/13c4025c96f36e94b348"), "utf8")).toBe("x");
  });

  test("makes changes one after the other", async () => {
    const store = openBuilderStore(directory);
    const counter = join(directory, "counter");
    writeFileSync(counter, "0");
    const one = () =>
      openBuilderStore(directory).change(() => {
        writeFileSync(counter, String(Number(readFileSync(counter, "utf8")) + 1));
      }, uncancelled);
    await Promise.all(Array.from({ length: 8 }, one));
    expect(readFileSync(counter, "utf8")).toBe("8");
    expect(store.names()).toEqual([]);
  });

  test("a damaged choice is no choice", () => {
    writeFileSync(join(directory, "current"), "{");
    expect(openBuilderStore(directory).current("k")).toBe("");
  });
});

describe("names", () => {
  test("begin with a letter and cannot leave the directory", () => {
    for (const bad of ["", "1a", "../x", "a/b", "a b", ".a", `a${"b".repeat(300)}`])
      expect(() => checkBuilderName(bad), bad).toThrow(/needs to start with a letter/);
    expect(checkBuilderName("My.b-1_x")).toBe("My.b-1_x");
  });

  test("by chance are valid", () => {
    for (const number of [0, 0.5, 0.999999]) {
      const name = randomBuilderName(() => number);
      expect(checkBuilderName(name)).toMatch(/^[a-z]+_[a-z]+$/);
    }
  });
});
