// A build that its client drives: results there and back, and clients that make things up.
import { describe, expect, it } from "vitest";
import type { BuildBridge, FrontendResult } from "../../api/index.ts";
import { uncancelled } from "../../base/index.ts";
import { image } from "../../formats/llb/index.ts";
import { gateway } from "../../formats/proto/index.ts";
import { DrivenBuild } from "./driven-build.ts";

const platform = { os: "linux", architecture: "arm64" };
const definition = image("docker.io/library/busybox:latest").marshal({
  platform,
  localUniqueId: "one",
});
const config = { ...platform, rootfs: { type: "layers", diff_ids: [] } } as const;
const bridge = { platforms: [platform] } as unknown as BuildBridge;
const open = () => new DrivenBuild(bridge, uncancelled);
const text = new TextEncoder();

describe("a driven build", () => {
  it("hands a frontend's result to its client, and takes it back as it was", async () => {
    const result: FrontendResult = {
      platforms: [
        {
          platform,
          id: "linux/arm64",
          definition,
          config,
          epoch: new Date(1_700_000_000_000),
          attestations: [
            {
              kind: "in-toto",
              definition,
              path: "/said.json",
              predicateType: "https://example.com/said",
              subjects: [
                { kind: "self", name: "", digests: [] },
                { kind: "raw", name: "other", digests: [`sha256:${"ab".repeat(32)}`] },
              ],
              metadata: { reason: "because" },
            },
            {
              kind: "bundle",
              definition: undefined,
              path: "",
              predicateType: "",
              subjects: [],
              metadata: {},
            },
          ],
        },
      ],
      multiPlatform: true,
      metadata: { "frontend.warnings": "none" },
      annotations: { "annotation-index.who": "a frontend" },
    };
    const build = open();
    const message = gateway.Result.decode(
      gateway.Result.encode(build.resultMessage(result)).finish(),
    );
    build.return(message, undefined);
    expect(await build.outcome()).toEqual(result);
  });

  it.each([
    ["unknown attestation kind 7", { kind: 7 as gateway.AttestationKind }],
    ["does not have available content", { ref: undefined }],
    ["no such ref: made up", { ref: { id: "made up", def: undefined } }],
    ["unknown attestation subject type 9", { inTotoSubjects: [{ kind: 9, name: "", digest: [] }] }],
    ["invalid digest", { inTotoSubjects: [{ kind: 1, name: "", digest: ["../../etc"] }] }],
    ["more than 1000 subjects", { inTotoSubjects: Array(1001).fill({ kind: 0 }) }],
  ] as [string, Partial<gateway.Attestation>][])("refuses attestations: %s", (why, wrong) => {
    const attestation = [
      gateway.Attestation.create({ path: "/a", ref: { id: "", def: undefined }, ...wrong }),
    ];
    const attestations = new Map([["linux/arm64", gateway.Attestations.create({ attestation })]]);
    const message = gateway.Result.create({ attestations });
    expect(() => open().return(message, undefined)).toThrow(why);
  });

  it("takes nothing at all for the empty file system of its own platform", async () => {
    const build = open();
    build.return(undefined, undefined);
    const { platforms, multiPlatform } = await build.outcome();
    expect(multiPlatform).toBe(false);
    expect(platforms).toMatchObject([{ platform, id: "linux/arm64", definition: undefined }]);
  });

  it("fails with the client's own error", async () => {
    const build = open();
    build.return(undefined, { code: 3, message: "no such target", details: [] });
    await expect(build.outcome()).rejects.toMatchObject({ code: 3, message: "no such target" });
  });

  it("refuses references that nobody gave out", async () => {
    const build = open();
    const made = gateway.Result.create({ result: { $case: "ref", value: { id: "made up" } } });
    expect(() => build.return(made, undefined)).toThrow("no such ref: made up");
    await expect(build.files("made up", uncancelled)).rejects.toThrow("no such ref");
  });

  it.each([
    ["containerimage.config", "{", "not JSON"],
    ["containerimage.config", "7", "no object"],
    ["refs.platforms", '{"Platforms":[{"ID":1}]}', "does not list platforms"],
    ["refs.platforms", "null", "does not list platforms"],
  ])("refuses %s that is %s", (key, value, why) => {
    const metadata = new Map([[key, text.encode(value)]]);
    expect(() => open().return(gateway.Result.create({ metadata }), undefined)).toThrow(why);
  });

  it("holds no more results than anybody needs", () => {
    const build = open();
    for (let count = 0; count < 10_000; count++) build.hold(definition);
    expect(() => build.hold(definition)).toThrow("more than 10000 results");
  });
});
