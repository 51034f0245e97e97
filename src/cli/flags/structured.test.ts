// The structured flags: what each form means, and what is refused.
import { describe, expect, it } from "vitest";
import { annotationAttr, parseAnnotations } from "./annotation.ts";
import { attestShorthand, parseAttests } from "./attest.ts";
import { parseBuildContexts } from "./build-context.ts";
import { parseCacheEntries } from "./cache.ts";
import { parseCall } from "./call.ts";
import { parseKeyValues } from "./key-value.ts";
import { parseExtraHosts, parseUlimits } from "./limits.ts";
import { parseOutputs } from "./output.ts";
import { parsePlatforms } from "./platform.ts";
import { parseSecrets } from "./secret.ts";
import { parseTags } from "./tag.ts";

const host = { os: "linux", architecture: "amd64" };

/** What `read` makes of each text, or the beginning of its complaint. */
function check<T>(
  read: (text: string) => T,
  cases: readonly (readonly [text: string, expected: T | RegExp])[],
): void {
  it.each(cases)("%j", (text, expected) => {
    if (expected instanceof RegExp) expect(() => read(text)).toThrow(expected);
    else expect(read(text)).toEqual(expected);
  });
}

describe("--output", () => {
  check(
    (text) => parseOutputs([text])[0],
    [
      ["out", { type: "local", dest: "out", attrs: {} }],
      ["-", { type: "tar", dest: "-", attrs: {} }],
      ["type=tar,dest=-", { type: "tar", dest: "-", attrs: {} }],
      ["type=oci, Name =a:1,dest=x=y", { type: "oci", dest: "x=y", attrs: { name: "a:1" } }],
      ['type=image,"name=a,b",push=true', { type: "image", attrs: { name: "a,b", push: "true" } }],
      ["", undefined],
      ["dest=x,type", /is not of the form key=value/],
      ["dest=a,mode=b", /type is required/],
    ],
  );
});

describe("--cache-from", () => {
  check(
    (text) => parseCacheEntries([text], "--cache-from"),
    [
      [
        "a,b:1",
        [
          { type: "registry", attrs: { ref: "a" } },
          { type: "registry", attrs: { ref: "b:1" } },
        ],
      ],
      ["TYPE=gha,Scope=x", [{ type: "gha", attrs: { scope: "x" } }]],
      ["", []],
      ["ref=a", /--cache-from: type is required/],
      ["type=local,x", /is not of the form key=value/],
    ],
  );
});

describe("--secret", () => {
  check(
    (text) => parseSecrets([text])[0],
    [
      ["id=a,source=b", { id: "a", src: "b" }],
      ["type=env,id=a,env=X,src=y", { id: "a", src: "y", env: "X" }],
      ["type=vault,id=a", /unsupported type "vault"/],
      ["id=a,path=b", /unexpected key "path"/],
      ["a", /is not of the form key=value/],
    ],
  );
});

describe("--attest", () => {
  check(
    (text) => parseAttests(text.split(" ")),
    [
      ["type=sbom,disabled=1", [{ type: "sbom", disabled: true, attrs: {} }]],
      ["mode=max", /type is required/],
      ["type=sbom,disabled=x", /must be true or false/],
    ],
  );
  it("has shorthands", () => {
    expect(attestShorthand("provenance", "mode=max")).toBe("type=provenance,mode=max");
    expect(attestShorthand("sbom", "true")).toBe("type=sbom,disabled=false");
    expect(attestShorthand("sbom", "0")).toBe("type=sbom,disabled=true");
  });
});

describe("--call", () => {
  check(parseCall, [
    ["", undefined],
    ["build", undefined],
    ["lint,format=json,ignorestatus=true", { name: "lint", format: "json", ignoreStatus: true }],
    ["format=json", { name: "", format: "json", ignoreStatus: false }],
    ["check,outline", /are both methods/],
    ["check,ignorestatus=x", /must be true or false/],
    ["check,x=y", /unexpected key "x"/],
  ]);
});

describe("--annotation", () => {
  check(
    (text) => parseAnnotations([text], host).map(annotationAttr),
    [
      ["a=b", ["annotation.a"]],
      [
        "manifest[linux/arm64],index:a=b",
        ["annotation-manifest[linux/arm64].a", "annotation-index.a"],
      ],
      ["a", /expected key=value/],
      ["nothing:a=b", /unknown type "nothing"/],
      ["manifest[linux:a=b", /is no type with an optional platform/],
    ],
  );
});

describe("--build-context", () => {
  check(
    (text) => parseBuildContexts([text]),
    [
      ["docker.io/library/alpine:latest=docker-image://x", { alpine: "docker-image://x" }],
      ["base::linux/arm64=dir", { "base::linux/arm64": "dir" }],
      ["alpine:3=dir", { "alpine:3": "dir" }],
      ["dir", /expected name=source/],
      ["Base=dir", /must have the form of an image name/],
    ],
  );
});

describe("--platform", () => {
  check(
    (text) => parsePlatforms([text], host),
    [
      ["linux/amd64,linux/x86_64", [host]],
      ["local", [host]],
      ["", []],
      ["linux/amd64,linux/arm/v7", [host, { os: "linux", architecture: "arm", variant: "v7" }]],
      ["linux/amd 64", /invalid part/],
    ],
  );
});

describe("--tag", () => {
  check(
    (text) => parseTags([text, text]),
    [
      ["app", ["docker.io/library/app:latest"]],
      ["localhost:5000/a/b:1", ["localhost:5000/a/b:1"]],
      ["App", /must be lower-case/],
      ["a:b:c", /invalid image name/],
      [`a@sha256:${"0".repeat(64)}`, /a digest cannot be chosen/],
    ],
  );
});

describe("--build-arg and --label", () => {
  check(
    (text) => parseKeyValues([text], "--build-arg", { HOME: "/root" }),
    [
      ["a=b=c", { a: "b=c" }],
      ["a=", { a: "" }],
      ["HOME", { HOME: "/root" }],
      ["UNSET", {}],
      ["=x", /the name is missing/],
    ],
  );
  it("labels without a value are empty", () => {
    expect(parseKeyValues(["HOME"], "--label", undefined)).toEqual({ HOME: "" });
  });
});

describe("--add-host", () => {
  check(
    (text) => parseExtraHosts([text])[0],
    [
      ["db:10.0.0.1", "db=10.0.0.1"],
      ["db=10.0.0.1", "db=10.0.0.1"],
      ["db:::1", "db=::1"],
      ["db:[::1]", "db=::1"],
      ["db", /expected host:ip/],
      ["db:256.0.0.1", /is no IP address/],
      ["db:1.2.3", /is no IP address/],
      ["db:fe80::g", /is no IP address/],
      ["db:1:2", /is no IP address/],
      ["db=2001:db8::ff", "db=2001:db8::ff"],
      ["db:nowhere", /is no IP address/],
      ["db:host-gateway", "db=host-gateway"],
    ],
  );
});

describe("--ulimit", () => {
  check(
    (text) => parseUlimits([text])[0],
    [
      ["nofile=1024", "nofile=1024:1024"],
      ["nofile=1024:-1", "nofile=1024:-1"],
      ["nofile", /expected name=soft/],
      ["files=1", /unknown limit "files"/],
      ["nofile=2:1", /above the hard one/],
    ],
  );
});
