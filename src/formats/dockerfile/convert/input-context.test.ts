// Named contexts that are build inputs: definitions that came with the request, with or without an image's configuration.
import { expect, it } from "vitest";
import { image, readDefinition, scratch, stateOf } from "../../llb/index.ts";
import { convertDockerfile } from "./convert.ts";
import type { ConvertIo, ConvertOptions } from "./options.ts";

const native = { os: "linux", architecture: "amd64" };
const io: ConvertIo = {
  resolveImage: async (reference) => {
    throw new Error(`${reference} was asked for`);
  },
};

const input = image("docker.io/library/base:latest", { platform: native })
  .run(["/bin/make"], { name: "made before" })
  .marshal({ platform: native, localUniqueId: "other" });

function convert(text: string, options: Partial<ConvertOptions> = {}) {
  const all: ConvertOptions = { buildPlatforms: [native], newId: () => "id", ...options };
  return convertDockerfile(new TextEncoder().encode(text), all, io);
}

const inputs = { one: { files: stateOf(input) } };
const namedContexts = { base: "input:one" };

it("a base that is an input goes into the definition op for op", async () => {
  const { definition } = await convert("FROM base\nRUN next\n", { inputs, namedContexts });
  const { vertices } = readDefinition(definition ?? { ops: [] });
  expect(vertices.map(({ name }) => name)).toEqual([
    "docker-image://docker.io/library/base:latest",
    "made before",
    "[1/2] RUN next",
  ]);
  const given = input.ops.slice(0, -1).map(({ digest }) => digest);
  expect(definition?.ops.slice(0, 2).map(({ digest }) => digest)).toEqual(given);
});

it("the configuration that goes with an input is the base's", async () => {
  const config = new TextEncoder().encode(
    JSON.stringify({
      ...native,
      rootfs: { type: "layers", diff_ids: [] },
      config: { Env: ["A=1"], WorkingDir: "/w", User: "me" },
    }),
  );
  const given = { one: { files: stateOf(input), config } };
  const converted = await convert("FROM base\nRUN next\n", { inputs: given, namedContexts });
  expect(converted.image.config).toMatchObject({ WorkingDir: "/w", User: "me" });
  const { result } = readDefinition(converted.definition ?? { ops: [] });
  expect(result?.vertex.op).toMatchObject({ kind: "exec", cwd: "/w", user: "me" });
});

it("files are copied from an input", async () => {
  const { definition } = await convert("FROM scratch\nCOPY --from=base /a /b\n", {
    inputs,
    namedContexts,
  });
  const { vertices } = readDefinition(definition ?? { ops: [] });
  expect(vertices.map(({ op }) => op.kind)).toEqual(["source", "exec", "file"]);
});

it("an input that did not come is an error that names those that did", async () => {
  const asked = convert("FROM base\n", { inputs, namedContexts: { base: "input:two" } });
  await expect(asked).rejects.toMatchObject({
    message: expect.stringContaining("invalid input two for base"),
    hint: expect.stringContaining("one"),
  });
});

it("the state of a definition is that definition again", () => {
  const again = stateOf(input).marshal({ platform: native, localUniqueId: "x" });
  expect(again.ops.slice(0, -1)).toEqual(input.ops.slice(0, -1));
  expect(stateOf({ ops: [] }).output).toBe(scratch().output);
});
