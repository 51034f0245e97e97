// Manifests, indexes and configurations: the bytes of the reference, and back.
import { describe, expect, test } from "vitest";
import { digestOf } from "../../base/index.ts";
import {
  type Descriptor,
  type ImageConfig,
  inFamily,
  isForeignLayerType,
  layerCompression,
  layerType,
  type Manifest,
  mediaTypes,
  parseImageConfig,
  parseIndex,
  parseManifest,
  parseManifestDocument,
  platformOfConfig,
  serializeImageConfig,
  serializeIndex,
  serializeManifest,
} from "./index.ts";

const text = (data: Uint8Array) => new TextDecoder().decode(data);
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const empty = `sha256:${"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`;
const descriptor = (mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(""),
  size: 0,
});

const manifest: Manifest = {
  mediaType: mediaTypes.ociManifest,
  config: descriptor(mediaTypes.ociConfig),
  layers: [{ ...descriptor(mediaTypes.ociLayerGzip), annotations: { b: "2", a: "<1>" } }],
};

describe("a manifest", () => {
  test("has the reference's bytes", () => {
    expect(text(serializeManifest(manifest))).toBe(`{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "${empty}",
    "size": 0
  },
  "layers": [
    {
      "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "${empty}",
      "size": 0,
      "annotations": {
        "a": "\\u003c1\\u003e",
        "b": "2"
      }
    }
  ]
}`);
  });

  test("is read back as it was", () => {
    const full: Manifest = {
      ...manifest,
      artifactType: "application/x",
      subject: descriptor(mediaTypes.ociManifest),
      annotations: { k: "v" },
    };
    expect(parseManifest(serializeManifest(full), mediaTypes.ociManifest)).toEqual(full);
  });
});

test("an index has the reference's bytes, platforms included, and is read back", () => {
  const platform = {
    os: "linux",
    architecture: "arm",
    variant: "v7",
    osVersion: "1",
    osFeatures: ["f"],
  };
  const index = {
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...descriptor(mediaTypes.ociManifest), platform }],
  };
  expect(text(serializeIndex(index)).replace(/\s+/g, "")).toBe(
    `{"schemaVersion":2,"mediaType":"${mediaTypes.ociIndex}","manifests":[{"mediaType":"${mediaTypes.ociManifest}","digest":"${empty}","size":0,"platform":{"architecture":"arm","os":"linux","os.version":"1","os.features":["f"],"variant":"v7"}}]}`,
  );
  expect(parseIndex(serializeIndex(index))).toEqual(index);
});

describe("the type of a document", () => {
  test("is its own, else what it was given as, else its shape", () => {
    const bare = { schemaVersion: 2, config: descriptor("c"), layers: [] };
    expect(parseManifest(bytes(bare)).mediaType).toBe(mediaTypes.ociManifest);
    expect(parseManifest(bytes(bare), mediaTypes.dockerManifest).mediaType).toBe(
      mediaTypes.dockerManifest,
    );
    expect(parseManifest(bytes(bare), "text/plain").mediaType).toBe(mediaTypes.ociManifest);
    expect(parseManifestDocument(bytes({ schemaVersion: 2, manifests: [] })).kind).toBe("index");
  });

  test("asked for as the other kind is an error", () => {
    expect(() => parseIndex(serializeManifest(manifest))).toThrow(/manifest of one image/);
    expect(() => parseManifest(bytes({ manifests: [] }))).toThrow(/it is an index/);
  });
});

describe("a configuration", () => {
  const config: ImageConfig = {
    created: "2024-01-02T03:04:05.6Z",
    architecture: "amd64",
    os: "linux",
    config: {
      Env: ["A=<b>"],
      Cmd: ["sh"],
      Labels: { z: "1", a: "2" },
      ExposedPorts: { "80/tcp": {} },
      Healthcheck: { Test: ["CMD", "x"], Interval: 5 },
      User: "me",
      OnBuild: ["RUN x"],
    },
    rootfs: { type: "layers", diff_ids: [digestOf("")] },
    history: [{ created: "2024-01-02T03:04:05Z", created_by: "RUN x", empty_layer: true }],
  };

  test("has the reference's bytes: outer members by name, inner ones in Go's order", () => {
    expect(text(serializeImageConfig(config))).toBe(
      `{"architecture":"amd64","config":{"User":"me","ExposedPorts":{"80/tcp":{}},"Env":["A=\\u003cb\\u003e"],"Cmd":["sh"],"Labels":{"a":"2","z":"1"},"Healthcheck":{"Test":["CMD","x"],"Interval":5},"OnBuild":["RUN x"]},"created":"2024-01-02T03:04:05.6Z","history":[{"created":"2024-01-02T03:04:05Z","created_by":"RUN x","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["${empty}"]}}`,
    );
  });

  test("is read back as it was", () => {
    expect(parseImageConfig(serializeImageConfig(config))).toEqual(config);
  });

  test("may carry members that only the reference knows", () => {
    const data = serializeImageConfig(config, { "moby.buildkit.cache.v0": "x" });
    expect(text(data)).toContain(
      '"history":[{"created":"2024-01-02T03:04:05Z","created_by":"RUN x","empty_layer":true}],"moby.buildkit.cache.v0":"x","os"',
    );
  });

  test("of old tools, with nulls and members of their own, is read", () => {
    const old = {
      architecture: "arm",
      os: "linux",
      variant: "v7",
      container: "x",
      docker_version: "1",
      config: { Entrypoint: null, Labels: null, Volumes: { "/d": {} } },
      rootfs: { type: "layers", diff_ids: null },
    };
    const read = parseImageConfig(bytes(old));
    expect(read.config).toEqual({ Volumes: { "/d": {} } });
    expect(platformOfConfig(read)).toEqual({ os: "linux", architecture: "arm", variant: "v7" });
  });

  test.each([
    ["2024-01-02T03:04:05.600000000Z", "2024-01-02T03:04:05.6Z"],
    ["2024-01-02T03:04:05.000Z", "2024-01-02T03:04:05Z"],
    ["2024-01-02T03:04:05+00:00", "2024-01-02T03:04:05Z"],
    ["2024-01-02T03:04:05-07:00", "2024-01-02T03:04:05-07:00"],
  ])("writes the time %s as Go does: %s", (given, expected) => {
    expect(parseImageConfig(bytes({ created: given })).created).toBe(expected);
  });
});

test("media types of the two families stand for each other", () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    expect(layerCompression(layerType(compression))).toBe(compression);
    expect(layerCompression(layerType(compression, "docker"))).toBe(compression);
    expect(inFamily(layerType(compression, "docker"), "oci")).toBe(layerType(compression));
  }
  expect(isForeignLayerType(mediaTypes.ociForeignLayerGzip)).toBe(true);
  expect(isForeignLayerType(mediaTypes.ociLayerGzip)).toBe(false);
  expect(inFamily("text/plain", "docker")).toBe("text/plain");
  expect(() => layerCompression("text/plain")).toThrow(
    expect.objectContaining({ code: "IMAGE_INVALID" }),
  );
});
