// What builds learn of sources, alone and from one another.
import { expect, test } from "vitest";
import { git, readDefinition } from "../../formats/llb/index.ts";
import { BuildNotes, SharedPins } from "./attest-result.ts";

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
