// Policies over whole definitions, and clients that are asked.
import { describe, expect, it } from "vitest";
import type { CheckSource, SourceDecision, SourceMeta } from "../../api/index.ts";
import { type Digest, digestOf, uncancelled } from "../../base/index.ts";
import { type Definition, image, readDefinition } from "../../formats/llb/index.ts";
import { openSourcePolicy } from "./source-policy.ts";

const definition: Definition = image("docker.io/library/busybox:latest")
  .run(["true"])
  .marshal({ platform: { os: "linux", architecture: "amd64" }, localUniqueId: "one" });

const meta = async (): Promise<SourceMeta> => {
  throw new Error("nobody asked to be told more");
};

const convert = {
  action: "CONVERT",
  selector: {
    identifier: "docker-image://docker.io/library/busybox:latest",
    matchType: "EXACT",
    constraints: [],
  },
  updates: { identifier: "docker-image://mirror.example/busybox:latest", attrs: {} },
} as const;

describe("source policies of a build", () => {
  it("leave a definition alone that they are not about", async () => {
    const rules = openSourcePolicy({ policies: [{ rules: [] }], meta });
    expect(await rules.definition(definition, uncancelled)).toBe(definition);
  });

  it("put another source in, and rename what is built on it", async () => {
    const rules = openSourcePolicy({ policies: [{ rules: [convert] }], meta });
    const changed = await rules.definition(definition, uncancelled);
    const graph = readDefinition(changed);
    const [source, run] = graph.vertices;
    expect(source?.op).toMatchObject({ identifier: convert.updates.identifier });
    expect(run?.inputs[0]?.vertex).toBe(source);
    const before = readDefinition(definition).vertices.map(({ digest }) => digest);
    expect(before).not.toContain(run?.digest);
  });

  it("ask a client, tell it more when it wants to know, and obey it", async () => {
    const digest: Digest = digestOf("image");
    const asked: SourceMeta[] = [];
    const check: CheckSource = async (known): Promise<SourceDecision> => {
      asked.push(known);
      if (!known.image) return { action: "ask", source: known.source, options: {} };
      return { action: "DENY", messages: ["it is too old"] };
    };
    const rules = openSourcePolicy({
      policies: [],
      check,
      meta: async (source) => ({ source, image: { digest, config: new Uint8Array() } }),
    });
    await expect(rules.definition(definition, uncancelled)).rejects.toThrow(
      'error evaluating the source policy: source "docker-image://docker.io/library/busybox:latest" not allowed by policy: action DENY: it is too old',
    );
    expect(asked.map(({ image: found }) => found?.digest)).toEqual([undefined, digest]);
  });

  it("do not ask for ever", async () => {
    const check: CheckSource = async ({ source }) => ({ action: "ask", source, options: {} });
    const rules = openSourcePolicy({ policies: [], check, meta: async (source) => ({ source }) });
    await expect(rules.definition(definition, uncancelled)).rejects.toThrow(
      "too many policy requests",
    );
  });

  it("do not look up another source for a client than the one it is asked about", async () => {
    const source = { identifier: "https://internal.example/secret", attrs: {} };
    const check: CheckSource = async () => ({ action: "ask", source, options: {} });
    const rules = openSourcePolicy({ policies: [], check, meta });
    await expect(rules.definition(definition, uncancelled)).rejects.toThrow(
      "policy requested different source identifier",
    );
  });
});
