// `kiln image` and `kiln copy`: the local store's names, archives, and images on their way between places.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesOf, digestOf, readAll, uncancelled } from "../../../src/base/index.ts";
import { encodeTarHeader, tarEnd, tarEntries, tarPadding } from "../../../src/formats/archive/index.ts";
import { type Descriptor, mediaTypes, serializeManifest } from "../../../src/formats/oci/index.ts";
import { addAttestation, addImage, addIndex } from "../../kit/images.ts";
import { startRegistry, type TestRegistry } from "../../kit/registry.ts";
import { runKiln } from "./world.ts";

let a: TestRegistry;
let b: TestRegistry;
let directory: string;
beforeEach(async () => {
  [a, b] = await Promise.all([startRegistry(), startRegistry({ referrers: true })]);
  directory = mkdtempSync(join(tmpdir(), "kiln-image-"));
});
afterEach(async () => {
  await a[Symbol.asyncDispose]();
  await b[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function kiln(...words: string[]) {
  const argv = words.map((word) =>
    word.replaceAll("A:", `${a.host}/`).replaceAll("B:", `${b.host}/`).replaceAll("DIR", directory),
  );
  const outcome = await runKiln(argv, { env: { KILN_ROOT: join(directory, "root") } });
  const shown = (text: string) => text.replaceAll(a.host, "HOSTA").replaceAll(b.host, "HOSTB").replaceAll(directory, "DIR");
  return { ...outcome, stdout: shown(outcome.stdout), stderr: shown(outcome.stderr) };
}
async function done(...words: string[]): Promise<string> {
  const { exitCode, stderr, stdout } = await kiln(...words);
  expect([stderr, exitCode]).toEqual(["", 0]);
  return stdout;
}
function addMany(registry: TestRegistry): { root: Descriptor; entries: Descriptor[] } {
  const images = ["amd64", "arm64"].map((architecture) => addImage(registry, "app", { platform: { os: "linux", architecture } }));
  const entries = [...images, ...images.map(({ digest }) => addAttestation(registry, "app", digest))];
  return { root: addIndex(registry, "app", "1", entries), entries };
}
function tar(files: Readonly<Record<string, Uint8Array | string>>): Uint8Array {
  const parts = Object.entries(files).flatMap(([path, content]) => {
    const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const header = encodeTarHeader({ path, type: "file", mode: 0o644, uid: 0, gid: 0, size: data.length, mtime: 0n });
    return [header, data, tarEnd.subarray(0, tarPadding(data.length))];
  });
  return Uint8Array.from([...parts, tarEnd].flatMap((part) => [...part]));
}
async function loadTar(files: Readonly<Record<string, Uint8Array | string>>, ...words: string[]) {
  const { writeFileSync } = await import("node:fs");
  writeFileSync(join(directory, "in.tar"), tar(files));
  return kiln("image", "load", "-i", "DIR/in.tar", ...words);
}
/** An archive by `docker save` from before layouts. */
const legacy = (tags: readonly string[]) => ({
  "abc.json": JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf("layer")] } }),
  "1/layer.tar": "layer",
  "manifest.json": JSON.stringify([{ Config: "abc.json", RepoTags: tags, Layers: ["1/layer.tar"] }]),
});

describe("copy", () => {
  it("takes all platforms, attestations and referrers along, byte for byte", async () => {
    const { root, entries } = addMany(a);
    const signature = serializeManifest({
      mediaType: mediaTypes.ociManifest,
      artifactType: "application/vnd.example.signature",
      config: a.addBlob("app", "{}", mediaTypes.ociEmpty),
      layers: [a.addBlob("app", "signed")],
      subject: { mediaType: root.mediaType, digest: root.digest, size: root.size },
    });
    const signed = a.addManifest("app", undefined, signature, mediaTypes.ociManifest);
    // Registry A does not know the referrers API: the tag stands in for it.
    addIndex(a, "app", `sha256-${root.digest.slice(7)}`, [signed]);
    expect(await done("copy", "--progress=none", "A:app:1", "B:mirror/app")).toBe(`HOSTB/mirror/app:1@${root.digest}\n`);
    for (const { digest } of [root, ...entries, signed]) {
      expect(b.store.manifest("mirror/app", digest)?.data).toEqual(a.store.manifest("app", digest)?.data);
    }
    expect(b.store.tags("mirror/app")).toEqual(["1"]);
    // And back, to a registry that needs the tag.
    await done("copy", "--progress=none", "B:mirror/app:1", "A:back");
    expect(a.store.tags("back")).toEqual(["1", `sha256-${root.digest.slice(7)}`]);
    expect(a.store.manifest("back", signed.digest)).toBeDefined();
    b.forgetRequests();
    await done("copy", "--progress=none", "A:app:1", "B:mirror/app");
    expect(b.requests.filter(({ method }) => method === "POST" || method === "PATCH")).toEqual([]);
  });

  it("takes some platforms, or leaves referrers", async () => {
    const { entries } = addMany(a);
    await done("copy", "--progress=none", "-p", "linux/arm64", "--referrers=false", "A:app:1", "B:app:arm");
    const index = JSON.parse(new TextDecoder().decode(b.store.manifest("app", "arm")?.data)) as { manifests: Descriptor[] };
    expect(index.manifests.map(({ digest }) => digest)).toEqual([entries[1]?.digest, entries[3]?.digest]);
    expect(b.requests.some(({ path }) => path.includes("referrers"))).toBe(false);
  });

  it("goes by way of an OCI layout", async () => {
    const { root } = addMany(a);
    await done("copy", "--progress=none", "A:app:1", "oci-layout://DIR/layout");
    await done("copy", "--progress=none", "oci-layout://DIR/layout:1", "B:app");
    expect(b.store.manifest("app", "1")?.data).toEqual(a.store.manifest("app", root.digest)?.data);
  });

  it("says which bytes of a layout are not what they are called", async () => {
    const { root, entries } = addMany(a);
    await done("copy", "--progress=none", "A:app:1", "oci-layout://DIR/layout");
    const { writeFileSync } = await import("node:fs");
    const { config } = JSON.parse(new TextDecoder().decode(a.store.manifest("app", entries[0]?.digest ?? "")?.data)) as { config: Descriptor };
    writeFileSync(join(directory, "layout/blobs/sha256", config.digest.slice(7)), "x".repeat(config.size));
    const { exitCode, stderr } = await kiln("copy", "--progress=none", "oci-layout://DIR/layout:1", "B:app");
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("BLOB_CORRUPT")]);
    expect([b.store.manifest("app", "1"), b.store.manifest("app", root.digest)]).toEqual([undefined, undefined]);
  });
});

describe("image", () => {
  it("load sets the names that are asked for, and no others", async () => {
    const files = legacy(["good:1", "docker.io/library/busybox:latest"]);
    const refused = await loadTar(files);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("docker.io/library/good:1, docker.io/library/busybox:latest")]);
    expect((await loadTar(files, "good:1")).stdout).toBe("Loaded image: docker.io/library/good:1\n");
    expect((await loadTar(files, "--tag", "mine")).stdout).toBe("Loaded image: docker.io/library/mine:latest\n");
    expect((await loadTar(files, "bad")).stderr).toContain("the archive has no image docker.io/library/bad:latest");
    await expect(await done("image", "ls")).toMatchFileSnapshot(join(import.meta.dirname, "image-ls.txt"));
    expect((await loadTar(files, "--all")).stdout.split("\n")).toHaveLength(3);
    expect((await loadTar(files, "--all", "--tag", "x")).stderr).toContain("contradict each other");
  });

  it("ls, tag and rm work on names", async () => {
    const size = legacy([])["abc.json"].length + "layer".length;
    await loadTar(legacy(["app:1"]), "--all");
    await done("image", "tag", "app:1", "registry.example/app:2");
    expect(await done("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}")).toBe(`app:1 ${size}B\nregistry.example/app:2 ${size}B\n`);
    expect(await done("image", "ls", "--format", "table {{.Tag}}\\t{{.Repository}}", "app")).toBe("TAG       REPOSITORY\n1         app\n");
    expect(await done("image", "ls", "-q")).toMatch(/^[0-9a-f]{12}\n$/);
    expect(await done("image", "rm", "app:1")).toBe("Untagged: docker.io/library/app:1\n");
    expect(await done("image", "ls", "--format", "{{.Repository}}")).toBe("registry.example/app\n");
    expect((await kiln("image", "rm", "app:1")).stderr).toContain("there is no image docker.io/library/app:1 here");
  });

  it("save writes what load reads, the same bytes each time", async () => {
    await loadTar(legacy(["app:1"]), "--all");
    await done("image", "save", "-o", "DIR/one.tar", "app:1");
    await done("image", "save", "-o", "DIR/two.tar", "app:1");
    const bytes = readFileSync(join(directory, "one.tar"));
    expect(readFileSync(join(directory, "two.tar")).equals(bytes)).toBe(true);
    const paths: string[] = [];
    for await (const { header, data } of tarEntries(bytesOf(bytes), uncancelled)) {
      const content = await readAll(data, 1 << 20, "entry");
      paths.push(header.path);
      if (header.path.startsWith("blobs/")) expect(digestOf(content)).toBe(`sha256:${header.path.slice(13)}`);
    }
    expect(paths.slice(-3)).toEqual(["index.json", "manifest.json", "oci-layout"]);
    await done("image", "rm", "app:1");
    expect(await done("image", "load", "-i", "DIR/one.tar", "app:1")).toBe("Loaded image: docker.io/library/app:1\n");
  });

  it.each([
    ["a blob that is not what it is called", { [`blobs/sha256/${"0".repeat(64)}`]: "x", "index.json": '{"manifests":[]}' }, "BLOB_CORRUPT"],
    ["an index without what it lists", { "index.json": JSON.stringify({ manifests: [{ mediaType: mediaTypes.ociManifest, digest: digestOf("x"), size: 1 }] }) }, "does not hold it"],
    ["a list without what it lists", { "manifest.json": '[{"Config":"../../etc/passwd","Layers":["/etc/shadow"]}]' }, "does not hold it"],
    ["no image at all", { "readme.txt": "x" }, "holds no image"],
    ["damage", { "index.json": "{" }, "not valid JSON"],
  ])("load refuses %s", async (_, files, message) => {
    const { exitCode, stderr } = await loadTar(files, "--all");
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(await done("image", "ls", "-q")).toBe("");
  });
});
