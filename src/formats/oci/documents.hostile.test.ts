// Documents that want to harm: ambiguous, oversized, of the wrong types, with names that JavaScript knows.
import fc from "fast-check";
import { expect, test } from "vitest";
import { digestOf, isKilnError } from "../../base/index.ts";
import { mediaTypes, parseImageConfig, parseManifestDocument } from "./index.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const good = { mediaType: "x", digest: digestOf(""), size: 0 };

test.each<[string, unknown, string?]>([
  ["both manifests and layers", { manifests: [], layers: [], config: good }],
  ["both manifests and a configuration", { manifests: [], config: good }],
  ["layers in an index", { mediaType: mediaTypes.ociIndex, layers: [], config: good }],
  ["manifests in a manifest", { mediaType: mediaTypes.ociManifest, manifests: [] }],
  [
    "another type than it was given as",
    { mediaType: mediaTypes.ociManifest, config: good, layers: [] },
    mediaTypes.ociIndex,
  ],
  ["schema 1", { schemaVersion: 1, fsLayers: [] }],
  ["an unknown type", { mediaType: "application/evil" }],
  ["no configuration", { layers: [] }],
  ["a negative size", { config: { ...good, size: -1 }, layers: [] }],
  ["half a byte", { config: { ...good, size: 0.5 }, layers: [] }],
  ["a size beyond counting", { config: { ...good, size: 1e300 }, layers: [] }],
  [
    "a digest with a path in it",
    { config: { ...good, digest: "sha256:../../etc/passwd" }, layers: [] },
  ],
  [
    "a weak digest",
    { config: { ...good, digest: "md5:d41d8cd98f00b204e9800998ecf8427e" }, layers: [] },
  ],
  [
    "a digest in upper case",
    { config: { ...good, digest: digestOf("").toUpperCase() }, layers: [] },
  ],
  ["too many layers", { config: good, layers: Array.from({ length: 2000 }, () => good) }],
  ["layers that are no list", { config: good, layers: {} }],
  ["a layer that is null", { config: good, layers: [null] }],
  ["annotations that are no strings", { config: { ...good, annotations: { a: {} } }, layers: [] }],
  ["a list", []],
  ["a number", 5],
  ["null", null],
])("a manifest with %s is refused", (_, value, given) => {
  expect(() => parseManifestDocument(bytes(value), given)).toThrow(
    expect.objectContaining({ code: "IMAGE_INVALID" }),
  );
});

test("oversized documents are refused unread", () => {
  const large = new Uint8Array(4 * 1024 * 1024 + 1).fill(0x20);
  expect(() => parseManifestDocument(large)).toThrow(/larger than/);
  expect(() => parseImageConfig(new Uint8Array(8 * 1024 * 1024 + 1))).toThrow(/larger than/);
});

test("deep nesting does not overflow", () => {
  const deep = new TextEncoder().encode(
    `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)},"manifests":[]}`,
  );
  const outcome = () => parseManifestDocument(deep);
  try {
    expect(outcome().kind).toBe("index");
  } catch (error) {
    expect(isKilnError(error, "IMAGE_INVALID")).toBe(true);
  }
});

test("names of the prototype are names like others", () => {
  const data = new TextEncoder().encode(
    '{"config":{"Labels":{"__proto__":"x","constructor":"y"}}}',
  );
  const labels = parseImageConfig(data).config?.Labels ?? {};
  expect(Object.keys(labels)).toEqual(["__proto__", "constructor"]);
  expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
});

test.each<[string, unknown]>([
  ["Env", { config: { Env: "A=b" } }],
  ["Cmd", { config: { Cmd: [1] } }],
  ["Labels", { config: { Labels: ["a"] } }],
  ["diff_ids", { rootfs: { diff_ids: ["x"] } }],
  ["history", { history: {} }],
  ["created", { created: "yesterday" }],
  ["config", { config: [] }],
  ["Interval", { config: { Healthcheck: { Interval: "5s" } } }],
])("a configuration whose %s is malformed is refused", (_, value) => {
  expect(() => parseImageConfig(bytes(value))).toThrow(
    expect.objectContaining({ code: "IMAGE_INVALID" }),
  );
});

test("whatever comes, the answer is a document or IMAGE_INVALID", () => {
  const key = fc.constantFrom(
    "manifests",
    "layers",
    "config",
    "mediaType",
    "digest",
    "size",
    "rootfs",
    "history",
    "os",
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, 1, -1, "", digestOf(""), true),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(key, tie("tree"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      for (const parse of [parseManifestDocument, parseImageConfig]) {
        try {
          parse(bytes(value));
        } catch (error) {
          expect(isKilnError(error, "IMAGE_INVALID")).toBe(true);
        }
      }
    }),
  );
});
