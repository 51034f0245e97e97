// Provenance tells what went in, in the reference's fields, and never a secret.
import { describe, expect, it, test } from "vitest";
import {
  type Definition,
  git,
  http,
  image,
  local,
  readDefinition,
} from "../../formats/llb/index.ts";
import { captureBuild } from "./capture.ts";
import { fullProvenance, parseAttestOptions } from "./options.ts";
import { type ProvenanceFacts, provenancePredicate } from "./provenance.ts";

const platform = { os: "linux", architecture: "amd64" };
const pin = "a".repeat(64);
const reference = `docker.io/library/busybox:1@sha256:${pin}`;

function definition(): Definition {
  return image(reference)
    .run(["make"], { secrets: [{ id: "token", target: "/run/secrets/token", optional: true }] })
    .marshal({ platform, localUniqueId: "one" });
}

function facts(more: Partial<ProvenanceFacts> = {}): ProvenanceFacts {
  const made = definition();
  const capture = captureBuild(readDefinition(made).vertices, {
    platform,
    written: () => undefined,
    pinOf: () => undefined,
  });
  return {
    frontend: "dockerfile.v0",
    attrs: {
      filename: "Dockerfile",
      "build-arg:PROXY": "http://me:canary@proxy:3128",
      "label:a": "b",
      "vcs:source": "https://me:canary@example.com/app.git",
      "attest:provenance": "mode=max",
      target: "final",
    },
    capture,
    definition: made,
    builderPlatform: "linux/amd64",
    emulators: {},
    invocationId: "ref",
    startedOn: new Date(0),
    finishedOn: new Date(1000),
    layers: {},
    ...more,
  };
}

const min = { ...fullProvenance, mode: "min" } as const;

describe("SLSA v1", () => {
  it("names materials, parameters and steps", () => {
    const told = provenancePredicate(facts(), fullProvenance) as Record<string, never>;
    expect(told).toMatchObject({
      buildDefinition: {
        resolvedDependencies: [
          { uri: "pkg:docker/busybox@1?platform=linux%2Famd64", digest: { sha256: pin } },
        ],
        externalParameters: {
          configSource: { path: "Dockerfile" },
          request: { secrets: [{ id: "token", optional: true }], args: { target: "final" } },
        },
        internalParameters: { buildConfig: { llbDefinition: [{ id: "step0" }, {}, {}] } },
      },
      runDetails: {
        metadata: {
          startedOn: "1970-01-01T00:00:00.000Z",
          buildkit_metadata: { vcs: { source: "https://xxxxx:xxxxx@example.com/app.git" } },
          buildkit_completeness: { request: true, resolvedDependencies: true },
        },
      },
    });
  });

  it("has no credentials of any address in it", () => {
    expect(JSON.stringify(provenancePredicate(facts(), fullProvenance))).not.toContain("canary");
  });

  it("leaves out arguments, secrets and steps in mode min", () => {
    const text = JSON.stringify(provenancePredicate(facts(), min));
    expect(text).not.toMatch(/build-arg|label:|token|llbDefinition/);
    expect(text).toContain('"target":"final"');
  });

  it("is hermetic where no step reaches a network and nothing is lent", () => {
    const quiet = { ...facts().capture, network: false };
    expect(JSON.stringify(provenancePredicate(facts({ capture: quiet }), min))).toContain(
      '"buildkit_hermetic":true',
    );
    expect(JSON.stringify(provenancePredicate(facts(), min))).not.toContain("hermetic");
  });
});

it("steps say nothing of the client that lent a directory, and are written as the reference writes them", () => {
  const lent = local("context", { sharedKeyHint: "context" }).marshal({
    platform,
    localUniqueId: "client",
  });
  const text = JSON.stringify(provenancePredicate(facts({ definition: lent }), fullProvenance));
  expect(text).toContain(
    '{"Op":{"source":{"identifier":"local://context","attrs":{"local.sharedkeyhint":"context"}}},"constraints":{}}',
  );
  expect(text).not.toMatch(/local.unique|client/);
});

it("SLSA v0.2 has its own words for the same", () => {
  const told = provenancePredicate(facts(), { ...fullProvenance, version: "v0.2" });
  expect(told).toMatchObject({
    builder: { id: "" },
    buildType: "https://mobyproject.org/buildkit@v1",
    invocation: {
      configSource: { entryPoint: "Dockerfile" },
      environment: { platform: "linux/amd64" },
    },
    metadata: { completeness: { parameters: true, environment: true, materials: true } },
  });
});

it("repositories and files are named with what they stood for", () => {
  const state = git("example.com/app.git#v1", { fullUrl: "https://u:p@example.com/app.git" });
  const file = http("https://example.com/x.tgz", {});
  const vertices = [state, file].flatMap(
    (one) => readDefinition(one.marshal({ platform, localUniqueId: "x" })).vertices,
  );
  const { materials } = captureBuild(vertices, {
    platform,
    written: () => undefined,
    pinOf: ({ op }) =>
      op.kind === "source" && op.identifier.startsWith("git") ? "c0ffee" : `sha256:${pin}`,
  });
  expect(materials.map(({ digest }) => digest)).toEqual([{ sha1: "c0ffee" }, { sha256: pin }]);
  expect(JSON.stringify(materials)).not.toContain("u:p");
});

test.each(["v1", "v0.2"] as const)("%s names what emulated steps", (version) => {
  const emulators = { "linux/arm64": "qemu-aarch64 7.2" };
  const said = (more: Partial<ProvenanceFacts>) =>
    JSON.stringify(provenancePredicate(facts(more), { ...fullProvenance, version }));
  expect(said({ emulators })).toContain('"emulators":{"linux/arm64":"qemu-aarch64 7.2"}');
  expect(said({})).not.toContain("emulators");
});

describe("options", () => {
  it("are read as the reference reads them", () => {
    expect(parseAttestOptions({ "attest:provenance": "" }).provenance).toMatchObject({
      version: "v1",
      mode: "max",
    });
    expect(parseAttestOptions({ "attest:sbom": "" }).sbom?.generator).toBeUndefined();
    expect(parseAttestOptions({ "attest:sbom": "generator=r/scan:1,X=y" }).sbom).toEqual({
      generator: "r/scan:1",
      parameters: { X: "y" },
    });
  });
  it("that do not exist are refused", () => {
    expect(() => parseAttestOptions({ "attest:provenance": "mode=some" })).toThrow("min or max");
    expect(() => parseAttestOptions({ "attest:provenance": "version=v9" })).toThrow("v0.2");
    expect(() => parseAttestOptions({ "attest:provenance": "speed=9" })).toThrow("no such option");
    expect(() => parseAttestOptions({ "attest:provenance": "capture-usage=true" })).toThrow(
      "not measured",
    );
    expect(() => parseAttestOptions({ "attest:vex": "" })).toThrow("unknown attestation type");
  });
});
