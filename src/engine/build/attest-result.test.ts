// What builds learn of sources, alone and from one another.
import { expect, test } from "vitest";
import { digestOf } from "../../base/index.ts";
import { git, image, readDefinition } from "../../formats/llb/index.ts";
import type { Fetched } from "../proxy/index.ts";
import type { CacheKeyId } from "../solver/index.ts";
import { BuildNotes, rememberedFetches, SharedPins } from "./attest-result.ts";

const platform = { os: "linux", architecture: "amd64" };
const definition = git("example.com/app.git#v1", {
  fullUrl: "https://example.com/app.git",
}).marshal({ platform, localUniqueId: "x" });
const graph = readDefinition(definition);
const [vertex] = graph.vertices;
const commitsIn = (notes: BuildNotes) =>
  notes.capture(graph, platform).materials.map(({ digest }) => digest);

test("a build that shares a source with another names what it stood for, too", () => {
  const shared = new SharedPins();
  const [asking, sharing, strange] = [
    new BuildNotes(new Date(0), shared),
    new BuildNotes(new Date(0), shared),
    new BuildNotes(new Date(0), new SharedPins()),
  ];
  if (!vertex) throw new Error("the definition is empty");
  asking.pinned(vertex, "https://example.com/app.git#c0ffee");
  expect(commitsIn(asking)).toEqual([{ sha1: "c0ffee" }]);
  expect(commitsIn(sharing)).toEqual([{ sha1: "c0ffee" }]);
  expect(commitsIn(strange)).toEqual([]);
});

test("what a build has asked itself is what it names", () => {
  const shared = new SharedPins();
  const notes = new BuildNotes(new Date(0), shared);
  if (!vertex) throw new Error("the definition is empty");
  notes.pinned(vertex, "x#1");
  new BuildNotes(new Date(0), shared).pinned(vertex, "x#2");
  expect(commitsIn(notes)).toEqual([{ sha1: "1" }]);
});

test("old pins are forgotten", () => {
  const shared = new SharedPins();
  for (let at = 0; at <= 10_000; at++) shared.set(`${at}`, `${at}`);
  expect([shared.get("0"), shared.get("1"), shared.get("10000")]).toEqual([
    undefined,
    "1",
    "10000",
  ]);
});

test("what a step fetched is remembered without secrets, for builds that find it cached", () => {
  const run = image("docker.io/library/busybox@sha256:".concat("0".repeat(64))).run(["true"]);
  const built = readDefinition(run.marshal({ platform, localUniqueId: "x" }));
  const step = built.vertices.find(({ op }) => op.kind === "exec");
  if (!step) throw new Error("the definition has no step");
  const kept = new Map<string, Fetched>();
  const history = {
    fetched: (key: string) => kept.get(key),
    rememberFetched: (key: string, fetched: Fetched) => void kept.set(key, fetched),
  };
  const memory = () =>
    rememberedFetches({ keysOf: () => ["name" as CacheKeyId] }, history, (text) =>
      text.replaceAll("hunter2", "***"),
    );
  const notes = () => new BuildNotes(new Date(0), new SharedPins(), memory());
  expect(notes().capture(built, platform).proxy?.incomplete).toMatchObject([
    { op: step.digest, reason: "not_captured" },
  ]);
  const digest = digestOf("file");
  const url = "https://example.com/?key=hunter2";
  notes().fetched(step, { materials: [{ url, digest }], incomplete: [] });
  const { materials, proxy } = notes().capture(built, platform);
  expect(proxy).toEqual({ incomplete: [] });
  expect(materials.map(({ uri }) => uri)).toContain("https://example.com/?key=***");
});
