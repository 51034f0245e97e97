// A lent layout is not to be trusted: what it gives is what its digests say, or nothing.
import { describe, expect, it } from "vitest";
import type { LentLayout, Session } from "../../../api/index.ts";
import { bytesOf, digestOf, readAll, uncancelled } from "../../../base/index.ts";
import type { Registry } from "../../../storage/registry/index.ts";
import { layoutOrigin, withLayouts } from "./repository.ts";

const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: {
    mediaType: "application/vnd.oci.image.config.v1+json",
    digest: digestOf("config"),
    size: 6,
  },
  layers: [],
});
const registry = {
  pull() {
    throw new Error("a registry was asked");
  },
} as Partial<Registry> as Registry;

/** The repository of a layout with these blobs. */
function open(blobs: Readonly<Record<string, string>>) {
  const lent: LentLayout = {
    place: "/the/layout",
    size: async (digest) => blobs[digest]?.length,
    read: (digest) => bytesOf(blobs[digest] ?? ""),
  };
  const layout = (name: string) => (name === "store" ? lent : undefined);
  const session = { layout } as Partial<Session> as Session;
  return (store: string) => withLayouts(registry, session).pull(layoutOrigin(store));
}

describe("a lent layout", () => {
  it("says what kind of document a digest is", async () => {
    const digest = digestOf(manifest);
    const repository = open({ [digest]: manifest })("store");
    expect(await repository.resolve(digest, uncancelled)).toEqual({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest,
      size: manifest.length,
    });
  });

  it("with other bytes under a digest is caught", async () => {
    const digest = digestOf("what it should be");
    const repository = open({ [digest]: manifest })("store");
    await expect(repository.resolve(digest, uncancelled)).rejects.toMatchObject({
      code: "BLOB_CORRUPT",
    });
    const blob = { mediaType: "application/x", digest, size: manifest.length };
    const read = readAll(repository.read(blob, uncancelled), 1000, "blob");
    await expect(read).rejects.toMatchObject({ code: "BLOB_CORRUPT" });
  });

  it("without the blob is named", async () => {
    const digest = digestOf("gone");
    await expect(open({})("store").resolve(digest, uncancelled)).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: `the OCI layout /the/layout has no blob ${digest}`,
    });
  });

  it("with a manifest as large as a disk is not read", async () => {
    const huge = " ".repeat(5 << 20);
    const digest = digestOf(huge);
    const repository = open({ [digest]: huge })("store");
    await expect(repository.resolve(digest, uncancelled)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });

  it("that is not lent any more is told from a lost blob", async () => {
    const repository = open({})("another");
    await expect(repository.has(digestOf("x"), uncancelled)).rejects.toMatchObject({
      code: "CONTEXT_NOT_FOUND",
      hint: expect.stringContaining("--build-context NAME=oci-layout://PATH"),
    });
  });
});
