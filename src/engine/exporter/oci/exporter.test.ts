// Images as archives: a whole OCI layout, and what docker load wants of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  exporterParts,
  namedLayers,
  silentCall,
  solvedPlatform,
  solvedResult,
} from "../../../../test/kit/exporting.ts";
import type { Attrs, ExportTarget, Session } from "../../../api/index.ts";
import { type Bytes, digestOf, readAll } from "../../../base/index.ts";
import { hasZstd, readTar } from "../../../formats/archive/index.ts";
import { mediaTypes, parseIndex, parseManifest } from "../../../formats/oci/index.ts";
import { openContentStore } from "../../../storage/content/index.ts";
import { createExporters } from "../create-exporters.ts";
import type { ResultAttestation, SolvedResult } from "../exporter.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-oci-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const two = solvedResult(
  solvedPlatform(amd64, [{ id: "shared" }, { id: "a" }]),
  solvedPlatform(arm64, [{ id: "shared" }, { id: "b" }]),
);
const one = solvedResult(solvedPlatform(amd64, [{ id: "a" }]));
const zstd = hasZstd();

interface Delivered {
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly response: Attrs;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

async function deliver(
  type: "oci" | "docker",
  result: SolvedResult,
  attrs: Attrs = {},
): Promise<Delivered> {
  const content = await openContentStore(join(root, "content"));
  const exporter = createExporters(exporterParts(root, content, namedLayers([]))).get(type);
  let received = "";
  let bytes = new Uint8Array();
  const session = {
    async receive({ type: name }: ExportTarget, tar: Bytes) {
      received = name;
      bytes = new Uint8Array(await readAll(tar, 1 << 24, "archive"));
    },
  } as Partial<Session> as Session;
  await using prepared = await exporter!.prepare(result, attrs, session, silentCall);
  const response = await prepared.finish(silentCall);
  return { type: received, bytes, response, files: await unpack(bytes) };
}

async function unpack(bytes: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let path = "";
  async function* all(): Bytes {
    yield bytes;
  }
  await readTar(
    all(),
    {
      entry(header) {
        path = header.path;
        if (header.type === "file") files.set(path, new Uint8Array());
      },
      data: (chunk) => files.set(path, new Uint8Array([...(files.get(path) ?? []), ...chunk])),
      end() {},
    },
    silentCall,
  );
  return files;
}

function json(files: Delivered["files"], path: string) {
  return JSON.parse(new TextDecoder().decode(files.get(path)));
}

const blob = (files: Delivered["files"], digest: string) => {
  const data = files.get(`blobs/sha256/${digest.slice(7)}`);
  if (!data) throw new Error(`the archive lacks ${digest}`);
  return data;
};

test("an OCI archive is a layout with everything that its index leads to, under the right digests", async () => {
  const { type, files, response } = await deliver("oci", two, { name: "hello:1,r.example/x" });
  expect(type).toBe("oci");
  expect(json(files, "oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
  const index = json(files, "index.json");
  expect(index.manifests.map((entry: { annotations: unknown }) => entry.annotations)).toEqual([
    {
      "io.containerd.image.name": "docker.io/library/hello:1",
      "org.opencontainers.image.created": "1980-01-01T00:00:00Z",
      "org.opencontainers.image.ref.name": "1",
    },
    {
      "io.containerd.image.name": "r.example/x:latest",
      "org.opencontainers.image.created": "1980-01-01T00:00:00Z",
      "org.opencontainers.image.ref.name": "latest",
    },
  ]);
  const rootDigest = response["containerimage.digest"] ?? "";
  expect(index.manifests[0].digest).toBe(rootDigest);
  for (const child of parseIndex(blob(files, rootDigest)).manifests) {
    const manifest = parseManifest(blob(files, child.digest));
    for (const { digest, size } of [manifest.config, ...manifest.layers]) {
      expect(blob(files, digest).length).toBe(size);
    }
  }
  for (const [path, data] of files) {
    if (path.startsWith("blobs/")) expect(digestOf(data)).toBe(`sha256:${path.slice(13)}`);
  }
  expect(files.has("manifest.json")).toBe(false);
});

test("an archive without a name has one entry, which says what the response says", async () => {
  const { files, response } = await deliver("oci", one);
  const { manifests } = json(files, "index.json");
  expect(manifests).toEqual([JSON.parse(atob(response["containerimage.descriptor"] ?? ""))]);
  expect(manifests[0]).toMatchObject({
    annotations: { "org.opencontainers.image.created": "1980-01-01T00:00:00Z" },
    platform: { architecture: "amd64", os: "linux" },
  });
});

test("index-descriptor annotations are on the layout's entries", async () => {
  const { files } = await deliver("oci", two, { "annotation-index-descriptor.k": "v" });
  expect(json(files, "index.json").manifests[0].annotations).toMatchObject({ k: "v" });
});

test("the same image gives the same archive", async () => {
  const first = await deliver("oci", two, { name: "hello" });
  const second = await deliver("oci", two, { name: "hello" });
  expect(second.bytes).toEqual(first.bytes);
});

test("a docker archive has the list that docker load reads, with short names and docker's media types", async () => {
  const { files, type } = await deliver("docker", one, { name: "hello,r.example/x:2" });
  expect(type).toBe("docker");
  const [listed] = json(files, "manifest.json");
  expect(listed.RepoTags).toEqual(["hello:latest", "r.example/x:2"]);
  for (const path of [listed.Config, ...listed.Layers]) expect(files.has(path)).toBe(true);
  expect(json(files, "index.json").manifests[0].mediaType).toBe(mediaTypes.dockerManifest);
});

test("a docker archive without a name says null where names would be, and takes zstd as Docker names it", async () => {
  const compression = zstd ? { compression: "zstd" } : {};
  const { files } = await deliver("docker", one, compression);
  const [listed] = json(files, "manifest.json");
  expect(listed.RepoTags).toBeNull();
  const manifest = parseManifest(blob(files, json(files, "index.json").manifests[0].digest));
  expect(manifest.layers[0]?.mediaType).toBe(
    zstd ? mediaTypes.dockerLayerZstd : mediaTypes.dockerLayerGzip,
  );
});

const note = (inlineOnly: boolean): ResultAttestation => ({
  predicateType: "https://slsa.dev/provenance/v1",
  filename: "provenance.json",
  inlineOnly,
  predicate: async () => ({}),
});

test("what is only for images makes no index of an archive, unless it is asked to; other attestations do", async () => {
  const [solved] = one.platforms;
  const attested = (inlineOnly: boolean) =>
    ({ ...one, platforms: [{ ...solved, attestations: [note(inlineOnly)] }] }) as typeof one;
  const typeOf = async (inlineOnly: boolean, attrs = {}) => {
    const { files } = await deliver("oci", attested(inlineOnly), attrs);
    return json(files, "index.json").manifests[0].mediaType;
  };
  expect(await typeOf(true)).toBe(mediaTypes.ociManifest);
  expect(await typeOf(true, { "attestation-inline": "true" })).toBe(mediaTypes.ociIndex);
  expect(await typeOf(false)).toBe(mediaTypes.ociIndex);
});

test("a docker archive of several platforms is refused", async () => {
  await expect(deliver("docker", two)).rejects.toMatchObject({ code: "UNSUPPORTED" });
});
