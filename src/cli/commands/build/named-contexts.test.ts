// --build-context: what is lent, what is passed on, and what is told of what is not there.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findNamedContexts } from "./named-contexts.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

describe("a named context", () => {
  let cwd: string;
  beforeAll(() => {
    cwd = mkdtempSync(join(tmpdir(), "kiln-named-"));
    mkdirSync(join(cwd, "files"));
    mkdirSync(join(cwd, "github.com/o/r"), { recursive: true });
    writeFileSync(join(cwd, "file"), "");
    layout("layout", [
      { digest: digest("a"), name: "v1" },
      { digest: digest("b"), name: "v2" },
    ]);
    layout("one", [{ digest: digest("c") }]);
  });
  afterAll(() => rmSync(cwd, { recursive: true, force: true }));

  const layout = (path: string, images: readonly { digest: string; name?: string }[]) => {
    mkdirSync(join(cwd, path));
    const manifests = images.map((image) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: image.digest,
      size: 1,
      ...(image.name ? { annotations: { "org.opencontainers.image.ref.name": image.name } } : {}),
    }));
    writeFileSync(join(cwd, path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  };
  const find = (source: string) => findNamedContexts({ x: source }, cwd);

  it.each(["files", "./files", "github.com/o/r"])("%s is a directory that is lent", (source) => {
    const { attrs, directories } = find(source);
    expect(attrs["context:x"]).toBe("local:x");
    expect(directories.get("x")).toBe(join(cwd, source));
  });

  it.each([
    "docker-image://alpine:3",
    "https://example.com/x.git#main",
    "https://example.com/x.tar",
    "git@github.com:o/r.git",
    "github.com/o/other",
  ])("%s is passed on as it is", (source) => {
    const { attrs, directories, layouts } = find(source);
    expect(attrs["context:x"]).toBe(source);
    expect([directories.size, layouts.size]).toEqual([0, 0]);
  });

  it.each([
    ["layout:v2", `v2@${digest("b")}`],
    [`layout@${digest("d")}`, `latest@${digest("d")}`],
    [`layout:v1@${digest("d")}`, `v1@${digest("d")}`],
    ["one", `latest@${digest("c")}`],
  ])("of the layout %s is pinned to %s", (source, pinned) => {
    const { attrs, layouts } = find(`oci-layout://${source}`);
    const [[store, path] = []] = layouts;
    expect(attrs["context:x"]).toBe(`oci-layout://${store}:${pinned}`);
    expect(path).toBe(join(cwd, source.replace(/[:@].*/, "")));
  });

  it.each([
    ["nowhere", "does not exist", "write NAME=docker-image://REF"],
    ["file", "is not a directory", "write NAME=docker-image://REF"],
    ["oci-layout://nowhere", "nowhere does not exist", "index.json and blobs"],
    ["oci-layout://files", "files is not an OCI layout", "index.json and blobs"],
    ["oci-layout://layout:v3", "no image tagged v3", "Did you mean :v"],
    ["oci-layout://layout", "no image tagged latest", "Its tags are v1, v2."],
  ])("%s that is not there: %s", (source, message, hint) => {
    const caught = (() => {
      try {
        find(source);
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(caught).toMatchObject({
      code: "CONTEXT_NOT_FOUND",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });
});
