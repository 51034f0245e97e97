// Exporter attributes mean what the reference's mean, and nothing is ignored that was meant.
import { expect, test } from "vitest";
import { formatReference } from "../../../formats/oci/index.ts";
import { parseAnnotations, selectAnnotations } from "./annotations.ts";
import {
  isPushAttribute,
  parseImageAttributes,
  parsePushAttributes,
  withConfig,
} from "./attributes.ts";

test("the defaults are the reference's, and times are fixed", () => {
  const attributes = parsePushAttributes({});
  expect(attributes).toMatchObject({
    family: "oci",
    packing: { compression: "gzip", level: undefined, force: false },
    rewriteTimestamp: true,
    push: false,
    store: true,
  });
});

test("names are a list, completed as docker completes them", () => {
  const { references } = parsePushAttributes({ name: "busybox,r.example:5000/a/b:1" });
  expect(references.map(formatReference)).toEqual([
    "docker.io/library/busybox",
    "r.example:5000/a/b:1",
  ]);
});

for (const [value, expected] of [
  ["", true],
  ["true", true],
  ["1", true],
  ["F", false],
  ["0", false],
] as const) {
  test(`push=${value} is ${expected}`, () => {
    expect(parsePushAttributes({ name: "a", push: value }).push).toBe(expected);
  });
}

test("a configuration takes the place of the result's own, and knows its platform", () => {
  const text = JSON.stringify({ config: { Cmd: ["serve"] }, variant: "v8" });
  const attributes = parseImageAttributes({ "containerimage.config": text });
  const platform = { os: "linux", architecture: "arm64" };
  const rootfs = { type: "layers", diff_ids: [] } as const;
  const config = { ...platform, rootfs, config: { User: "1" } };
  const solved = { platform, id: "linux/arm64", snapshot: undefined, config };
  const result = { platforms: [solved], multiPlatform: false, sourceDateEpoch: undefined };
  expect(withConfig(result, attributes).platforms[0]?.config).toMatchObject({
    ...platform,
    variant: "v8",
    config: { Cmd: ["serve"] },
  });
  expect(withConfig(result, parseImageAttributes({}))).toBe(result);
});

test("what images know is told, for those who pass over the rest", () => {
  const asked = ["push", "annotation.a", "containerimage.config", "colour", "annotations"];
  expect(asked.filter(isPushAttribute)).toEqual(["push", "annotation.a", "containerimage.config"]);
});

function refused(attrs: Readonly<Record<string, string>>, code: string, words: RegExp): void {
  test(`${JSON.stringify(attrs)} is refused`, () => {
    expect(() => parsePushAttributes(attrs)).toThrowError(
      expect.objectContaining({ code, message: expect.stringMatching(words) }),
    );
  });
}

refused({ "containerimage.config": "{" }, "FLAG_INVALID", /containerimage\.config/);
refused({ push: "yes" }, "FLAG_INVALID", /push=yes.*true or false/);
refused({ compression: "gzpi" }, "FLAG_INVALID", /gzip/);
refused({ "compatibility-version": "11" }, "FLAG_INVALID", /10, 20, 30/);
refused({ "compression-level": "10" }, "FLAG_INVALID", /0 to 9/);
refused({ "compression-level": "x" }, "FLAG_INVALID", /whole number/);
refused({ "source-date-epoch": "-1" }, "FLAG_INVALID", /whole number/);
refused({ nmae: "x" }, "FLAG_INVALID", /no such attribute/);
refused({ name: "x/Upper" }, "REFERENCE_INVALID", /lower-case/);
refused({ name: "*" }, "FLAG_INVALID", /name/);
refused({ push: "true" }, "FLAG_INVALID", /without a name/);
refused({ name: "a:1", "push-by-digest": "true" }, "FLAG_INVALID", /push-by-digest/);
refused({ name: `a@sha256:${"0".repeat(64)}` }, "FLAG_INVALID", /digest/);
refused({ "annotation-indx.k": "v" }, "FLAG_INVALID", /none of manifest/);
refused({ "annotation-index[linux/amd64].k": "v" }, "FLAG_INVALID", /all platforms/);
refused({ "annotation.": "v" }, "FLAG_INVALID", /expected annotation/);
refused({ "annotation[no/such/plat/form].k": "v" }, "PLATFORM_INVALID", /platform/);

test("annotations turn docker's media types off, which have no place for them", () => {
  const attributes = parseImageAttributes({ "oci-mediatypes": "false", "annotation.a": "b" });
  expect(attributes.family).toBe("oci");
});

test("eStargz turns them off too; compatibility with older versions turns them on", () => {
  const familyOf = (attrs: Readonly<Record<string, string>>) => parseImageAttributes(attrs).family;
  expect(familyOf({ "oci-mediatypes": "false", compression: "estargz" })).toBe("oci");
  expect(familyOf({ "compatibility-version": "20" })).toBe("docker");
  expect(familyOf({ "compatibility-version": "20", "oci-mediatypes": "true" })).toBe("oci");
  expect(parseImageAttributes({ "compatibility-version": "10" }).ociArtifact).toBe(false);
});

test("a platform's own annotation wins over one for all", () => {
  const annotations = parseAnnotations({
    "annotation-manifest[linux/arm64].k": "own",
    "annotation-manifest.k": "all",
    "annotation-manifest.b": "all",
  });
  const arm64 = { os: "linux", architecture: "arm64" };
  const amd64 = { os: "linux", architecture: "amd64" };
  expect(selectAnnotations(annotations, "manifest", arm64)).toEqual({ b: "all", k: "own" });
  expect(selectAnnotations(annotations, "manifest", amd64)).toEqual({ b: "all", k: "all" });
  expect(selectAnnotations(annotations, "index")).toBeUndefined();
});
