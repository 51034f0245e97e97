// How two images differ: values by name, files by path, layers one over the other.
import { describe, expect, it } from "vitest";
import { tarOf } from "../../../test/kit/tar.ts";
import { bytesOf, digestOf, uncancelled } from "../../base/index.ts";
import { type Descriptor, mediaTypes } from "../../formats/oci/index.ts";
import { compareConfigs, compareFiles } from "./compare-images.ts";
import { readImageFiles } from "./image-files.ts";

type Files = Parameters<typeof tarOf>[0];

async function filesOf(...layers: readonly Files[]) {
  const blobs = new Map(layers.map((files) => [digestOf(tarOf(files)), tarOf(files)]));
  const descriptors = layers.map((files): Descriptor => {
    const data = tarOf(files);
    return { mediaType: mediaTypes.ociLayer, digest: digestOf(data), size: data.length };
  });
  const read = ({ digest }: Descriptor) => bytesOf(blobs.get(digest) as Uint8Array);
  return readImageFiles(descriptors, read, uncancelled);
}

describe("the files of an image", () => {
  it("are those of all layers, without what later ones take away", async () => {
    const files = await filesOf(
      [
        { path: "a", data: "1" },
        { path: "d/" },
        { path: "d/x", data: "1" },
        { path: "e/y", data: "1" },
      ],
      [
        { path: ".wh.a" },
        { path: "d/.wh..wh..opq" },
        { path: "d/z", data: "2" },
        { path: "e", data: "file" },
      ],
    );
    expect([...files.keys()].sort()).toEqual(["d", "d/z", "e"]);
    expect(files.get("d/z")).toMatchObject({ layer: 1, digest: digestOf("2") });
  });

  it("have the contents of the file that a hard link names", async () => {
    const files = await filesOf([
      { path: "a", data: "same" },
      { path: "b", type: "hardlink", linkname: "a" },
    ]);
    expect(files.get("b")?.digest).toBe(digestOf("same"));
  });
});

describe("differences", () => {
  it("of files are told by what differs", async () => {
    const before = await filesOf([
      { path: "same", data: "x" },
      { path: "changed", data: "one", mode: 0o644 },
      { path: "gone", data: "x" },
      { path: "link", linkname: "a" },
    ]);
    const after = await filesOf([
      { path: "same", data: "x" },
      { path: "changed", data: "three", mode: 0o755, uid: 5, mtime: 0n },
      { path: "new", data: "x" },
      { path: "link", linkname: "b" },
    ]);
    expect(compareFiles(before, after).map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      "changed changed",
      "removed gone",
      "changed link",
      "added new",
    ]);
    const [changed] = compareFiles(before, after);
    expect(changed?.what).toEqual([
      "contents 3 → 5 bytes",
      "mode 0644 → 0755",
      "owner 0:0 → 5:0",
      "time 2023-11-14T22:13:20Z → 1970-01-01T00:00:00Z",
    ]);
    expect(compareFiles(before, after, { ignoreTimes: true })[0]?.what).toHaveLength(3);
  });

  it("of configurations are told by name, variables one by one, layers not at all", () => {
    const before = { config: { Env: ["A=1", "B=2"] }, rootfs: { diff_ids: ["x"] }, os: "linux" };
    const after = { config: { Env: ["B=2", "A=3"], User: "me" }, rootfs: {}, os: "linux" };
    expect(compareConfigs(before, after)).toEqual([
      { name: "config.Env.A", before: "1", after: "3" },
      { name: "config.User", before: undefined, after: "me" },
    ]);
  });
});
