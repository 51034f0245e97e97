// Definitions survive the journey as a protobuf message.
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  decodeDefinition,
  encodeDefinition,
  image,
  readDefinition,
  type SourceFile,
  scratch,
} from "./index.ts";

const options = { platform: { os: "linux", architecture: "amd64" }, localUniqueId: "one" };
const { ops } = image("docker.io/library/files:1").marshal(options);
const file: SourceFile = {
  filename: "Dockerfile",
  language: "Dockerfile",
  data: new Uint8Array([70]),
  definition: { ops },
};
const place = {
  file,
  ranges: [{ start: { line: 2, character: 0 }, end: { line: 3, character: 4 } }],
};

it("print, then read, is what it was", () => {
  const base = image("docker.io/library/busybox:latest", {
    name: "FROM busybox",
    locations: [place],
  });
  const run = base.run(["true"], {
    ignoreCache: true,
    progressGroup: { id: "g", name: "group", weak: true },
    description: { z: "last", a: "first", "7": "a number" },
  });
  const definition = scratch().copy(run, "/", "/").marshal(options);
  const read = decodeDefinition(encodeDefinition(definition));
  expect(read.ops).toEqual(definition.ops);
  expect(read.locations?.get(definition.ops[0]!.digest)).toEqual([place]);
  expect(encodeDefinition(read)).toEqual(encodeDefinition(definition));
});

it("any words survive", () => {
  const words = fc.array(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(words, fc.dictionary(fc.string(), fc.string()), (args, description) => {
      const definition = image("docker.io/library/x:1").run(args, { description }).marshal(options);
      const read = decodeDefinition(encodeDefinition(definition));
      expect(read.ops).toEqual(definition.ops);
      expect(readDefinition(read).vertices.at(-1)?.op).toMatchObject({ args });
    }),
  );
});

it("limits of a step are no part of it, and survive", () => {
  const step = image("docker.io/library/x:1").run(["true"]).marshal(options);
  const resources = { memory: 2 ** 31, memorySwap: -1, cpuQuota: 50_000, cpusetCpus: "0-1,3" };
  const ops = step.ops.map((op) => ({ ...op, metadata: { ...op.metadata, resources } }));
  const read = decodeDefinition(encodeDefinition({ ops }));
  expect(read.ops).toEqual(ops);
  expect(read.ops.map(({ digest }) => digest)).toEqual(step.ops.map(({ digest }) => digest));
  expect(readDefinition(read).vertices.at(-1)?.metadata.resources).toEqual(resources);
});

it.each([{ memory: -1 }, { cpuQuota: -2 }, { cpusetCpus: "0;1" }])(
  "no limit is %j",
  (resources) => {
    const step = image("docker.io/library/x:1").run(["true"]).marshal(options);
    const ops = step.ops.map((op) => ({ ...op, metadata: { ...op.metadata, resources } }));
    expect(() => decodeDefinition(encodeDefinition({ ops }))).toThrow(/cannot be/);
  },
);
