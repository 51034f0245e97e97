// `kiln imagetools` against a registry in this process: what it prints, and what it leaves in registries and layouts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../../src/base/index.ts";
import { type Descriptor, parseIndex } from "../../../src/formats/oci/index.ts";
import { addAttestation, addImage, addIndex } from "../../kit/images.ts";
import { startRegistry, type TestRegistry } from "../../kit/registry.ts";
import { runKiln } from "./world.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const armv7 = { os: "linux", architecture: "arm", variant: "v7" };

let a: TestRegistry;
let b: TestRegistry;
let directory: string;
let entries: Descriptor[];
beforeEach(async () => {
  [a, b] = await Promise.all([startRegistry(), startRegistry()]);
  directory = mkdtempSync(join(tmpdir(), "kiln-imagetools-"));
  const images = [addImage(a, "app", { tag: "amd64", platform: amd64 }), addImage(a, "app", { tag: "arm64", platform: arm64 })];
  entries = [...images, ...images.map(({ digest }) => addAttestation(a, "app", digest))];
  addIndex(a, "app", "many", entries);
  addImage(a, "app", { tag: "armv7", platform: armv7, docker: true });
});
afterEach(async () => {
  await a[Symbol.asyncDispose]();
  await b[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** A:, B: and DIR stand for the two registries and a directory. */
async function tool(...words: string[]) {
  const argv = words.map((word) =>
    word.replaceAll("A:", `${a.host}/`).replaceAll("B:", `${b.host}/`).replaceAll("DIR", directory),
  );
  const outcome = await runKiln(["imagetools", ...argv]);
  const shown = (text: string) =>
    text.replaceAll(a.host, "HOSTA").replaceAll(b.host, "HOSTB").replaceAll(directory, "DIR");
  return { ...outcome, stdout: shown(outcome.stdout), stderr: shown(outcome.stderr) };
}
async function done(...words: string[]): Promise<string> {
  const { exitCode, stderr, stdout } = await tool(...words, ...(words[0] === "create" ? ["--progress=none"] : []));
  expect([stderr, exitCode]).toEqual(["", 0]);
  return stdout;
}
const stored = (registry: TestRegistry, repository: string, tag: string) => {
  const found = registry.store.manifest(repository, tag);
  if (!found) throw new Error(`${repository}:${tag} is not there`);
  return found;
};
const indexAt = (registry: TestRegistry, repository: string, tag: string) =>
  parseIndex(stored(registry, repository, tag).data);

describe("inspect --format", () => {
  it.each([
    ["{{.Name}}", "HOSTA/app:many"],
    ["{{.Manifest.Digest}} {{.Manifest.MediaType}} {{len .Manifest.Manifests}}", /^sha256:\w{64} application\/vnd.oci.image.index.v1\+json 4$/],
    ["{{range .Manifest.Manifests}}{{if .Platform}}{{.Platform.OS}}/{{.Platform.Architecture}} {{end}}{{end}}", "linux/amd64 linux/arm64 unknown/unknown unknown/unknown "],
    ['{{(index .Image "linux/arm64").Config.Cmd}} {{json (index .Image "linux/amd64").Config.Labels}}', '[/hello] {\n  "who": "\\u003cme\\u003e"\n}'],
    ['{{range $platform, $image := .Image}}{{$platform}}={{$image.Architecture}} {{end}}', "linux/amd64=amd64 linux/arm64=arm64 "],
    ['{{json (index .Provenance "linux/amd64").SLSA}}', '{\n  "buildDefinition": {\n    "buildType": "https://example.com/build"\n  }\n}'],
    ['{{range (index .SBOM "linux/amd64").SPDX.packages}}{{.name}}@{{.versionInfo}}{{println}}{{end}}', "busybox@1.35\n"],
  ])("%s", async (format, expected) => {
    const stdout = await done("inspect", "--format", format, "A:app:many");
    if (typeof expected === "string") expect(stdout).toBe(expected);
    else expect(stdout).toMatch(expected);
  });

  it("has a single image's fields without a platform before them", async () => {
    const format = "{{.Image.OS}}/{{.Image.Architecture}}/{{.Image.Variant}} {{.Manifest.Size}} {{json .Provenance}}";
    expect(await done("inspect", "--format", format, "A:app:armv7")).toMatch(/^linux\/arm\/v7 \d+ \{\}$/);
  });

  it("reads only what the template mentions", async () => {
    a.forgetRequests();
    await done("inspect", "--format", "{{json .Manifest}}", "A:app:many");
    expect(a.requests.filter(({ path }) => path.includes("blobs"))).toEqual([]);
  });

  it("prints everything for a dot", async () => {
    const all = JSON.parse(await done("inspect", "--format", "{{json .}}", "A:app:many")) as Record<string, unknown>;
    expect(Object.keys(all)).toEqual(["name", "manifest", "image"]);
    expect(Object.keys(all["image"] as object)).toEqual(["linux/amd64", "linux/arm64"]);
  });

  it("says what is wrong with a template before anything is asked", async () => {
    a.forgetRequests();
    const { exitCode, stderr } = await tool("inspect", "--format", "{{.Name", "A:app:many");
    expect([exitCode, a.requests.length]).toEqual([1, 0]);
    expect(stderr).toContain("TEMPLATE_INVALID");
    const wrong = await tool("inspect", "--format", "{{.Nam}}", "A:app:many");
    expect(wrong.stderr).toContain("Fields are .Name, .Manifest, .Image, .Provenance, .SBOM.");
  });
});

describe("create", () => {
  it("joins images, with the platforms that their configurations say", async () => {
    await done("create", "-t", "A:app:all", "A:app:amd64", "A:app:arm64", "A:app:armv7");
    const { manifests, mediaType } = indexAt(a, "app", "all");
    expect(mediaType).toBe("application/vnd.oci.image.index.v1+json");
    expect(manifests.map(({ platform }) => platform)).toEqual([amd64, arm64, armv7]);
  });

  it("prints what it would push, and pushes nothing", async () => {
    a.forgetRequests();
    const text = await done("create", "--dry-run", "A:app:amd64", "A:app:arm64");
    await expect(text).toMatchFileSnapshot(join(import.meta.dirname, "imagetools-dry-run.txt"));
    expect(a.requests.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
  });

  it("passes a single index on byte for byte, and a single image too where that is preferred", async () => {
    await done("create", "-t", "A:app:copy", "A:app:many");
    expect(stored(a, "app", "copy").data).toEqual(stored(a, "app", "many").data);
    await done("create", "--prefer-index=false", "-t", "A:app:same", "A:app:amd64");
    expect(stored(a, "app", "same").data).toEqual(stored(a, "app", "amd64").data);
    await done("create", "-t", "A:app:wrapped", "A:app:amd64");
    expect(indexAt(a, "app", "wrapped").manifests.map(({ platform }) => platform)).toEqual([amd64]);
  });

  it("makes Docker's list of Docker's images, until annotations need OCI's index", async () => {
    await done("create", "-t", "A:app:docker", "A:app:armv7");
    expect(indexAt(a, "app", "docker").mediaType).toBe("application/vnd.docker.distribution.manifest.list.v2+json");
    await done("create", "-t", "A:app:noted", "--annotation", "index:k=v", "A:app:armv7");
    expect(indexAt(a, "app", "noted")).toMatchObject({ mediaType: "application/vnd.oci.image.index.v1+json", annotations: { k: "v" } });
  });

  it("annotates entries, all or of one platform", async () => {
    await done("create", "-t", "A:app:noted", "--annotation", "manifest-descriptor:x=1", "--annotation", "manifest-descriptor[linux/arm64]:y=2", "A:app:amd64", "A:app:arm64");
    expect(indexAt(a, "app", "noted").manifests.map(({ annotations }) => annotations)).toEqual([{ x: "1" }, { x: "1", y: "2" }]);
  });

  it("appends to what the first tag has", async () => {
    await done("create", "--append", "-t", "A:app:many", "A:app:armv7");
    expect(indexAt(a, "app", "many").manifests.map(({ digest }) => digest)).toEqual([...entries.map(({ digest }) => digest), digestOf(stored(a, "app", "armv7").data)]);
  });

  it("keeps the attestations of the platforms that it keeps", async () => {
    await done("create", "-p", "linux/arm64", "-t", "A:app:arm", "A:app:many");
    expect(indexAt(a, "app", "arm").manifests.map(({ digest }) => digest)).toEqual([entries[1]?.digest, entries[3]?.digest]);
    const { stderr, exitCode } = await tool("create", "-p", "linux/s390x", "-t", "A:app:none", "A:app:many");
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("no source has an image for linux/s390x; they have linux/amd64, linux/arm64")]);
  });

  it("copies all that an image consists of to another registry", async () => {
    await done("create", "-t", "B:team/app:1", "-t", "B:team/app:latest", "A:app:many");
    expect(stored(b, "team/app", "1").data).toEqual(stored(a, "app", "many").data);
    expect(stored(b, "team/app", "latest").data).toEqual(stored(a, "app", "many").data);
    for (const { digest } of entries) {
      const manifest = JSON.parse(new TextDecoder().decode(stored(b, "team/app", digest).data)) as { config: Descriptor; layers: Descriptor[] };
      for (const blob of [manifest.config, ...manifest.layers]) expect(b.store.blob("team/app", blob.digest)).toBeDefined();
    }
    b.forgetRequests();
    await done("create", "-t", "B:team/app:1", "A:app:many");
    expect(b.requests.filter(({ method }) => method === "POST")).toEqual([]);
  });

  it("mounts blobs from another repository of the same registry", async () => {
    a.forgetRequests();
    await done("create", "-t", "A:other:1", "A:app:many");
    expect(a.requests.filter(({ method, query }) => method === "POST" && query.get("from") === "app").length).toBeGreaterThan(0);
    expect(a.requests.filter(({ method, path }) => method === "PUT" && path.includes("blobs"))).toEqual([]);
  });

  it("sets no tag anywhere while one registry fails", async () => {
    b.fail({ method: "PUT", path: /manifests/, times: 99 }, { kind: "status", status: 403 });
    const { exitCode } = await tool("create", "-t", "A:app:new", "-t", "B:app:new", "A:app:many", "--progress=none");
    expect([exitCode, a.store.manifest("app", "new")]).toEqual([1, undefined]);
  });

  it("notices that a tag is another's afterwards", async () => {
    a.fail({ method: "HEAD", path: /manifests\/all$/, times: 9 }, { kind: "mislabel", digest: entries[0]?.digest ?? "" });
    const { exitCode, stderr } = await tool("create", "-t", "A:app:all", "A:app:amd64", "--progress=none");
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`but stands for ${entries[0]?.digest} now`)]);
  });

  it("reads sources by digest and as descriptors, in the only repository that is named", async () => {
    const source = { digest: entries[1]?.digest, platform: { os: "linux", architecture: "arm64", variant: "v8" }, annotations: { from: "file" } };
    writeFileSync(join(directory, "source.json"), JSON.stringify(source));
    await done("create", "-t", "A:app:files", "-f", "DIR/source.json", entries[0]?.digest ?? "");
    expect(indexAt(a, "app", "files").manifests).toEqual([
      { ...entries[1], platform: { ...arm64, variant: "v8" }, annotations: { from: "file" } },
      entries[0],
    ]);
    const { stderr } = await tool("create", "-t", "A:app:x", "-t", "B:app:x", entries[0]?.digest ?? "");
    expect(stderr).toContain("several repositories are named");
  });

  it("writes what it made to a file", async () => {
    await done("create", "--metadata-file", "DIR/meta.json", "-t", "A:app:x", "-t", "A:app:y", "A:app:many");
    const { data, mediaType } = stored(a, "app", "many");
    expect(JSON.parse(readFileSync(join(directory, "meta.json"), "utf8"))).toEqual({
      "containerimage.descriptor": { mediaType, digest: digestOf(data), size: data.length },
      "image.name": `${a.host}/app:x,${a.host}/app:y`,
    });
  });

  it("writes to OCI layouts and reads from them", async () => {
    await done("create", "-t", "oci-layout://DIR/layout:1", "A:app:many");
    const shown = await done("inspect", "oci-layout://DIR/layout:1");
    expect(shown).toContain(`Name:      oci-layout://DIR/layout:1\n`);
    expect(shown).toContain(`  Name:        oci-layout://DIR/layout@${entries[0]?.digest}\n`);
    await done("create", "-t", "B:back:1", "oci-layout://DIR/layout:1");
    expect(stored(b, "back", "1").data).toEqual(stored(a, "app", "many").data);
    const digest = digestOf(stored(a, "app", "many").data);
    expect(await done("inspect", "--format", "{{.Manifest.Digest}}", `oci-layout://DIR/layout@${digest}`)).toBe(digest);
    const { stderr } = await tool("inspect", "oci-layout://DIR/layout:none");
    expect(stderr).toContain("oci-layout://DIR/layout:none: not found in the layout");
  });

  it("shows its steps", async () => {
    const { stderr } = await tool("create", "--progress=plain", "-t", "B:app:1", "A:app:amd64");
    // Blobs are sent side by side, in no particular order.
    const fixed = stderr.replace(/\b\d+\.\d+s?\b/g, "0.0").replace(/^.* uploaded .*\n/gm, "");
    await expect(fixed).toMatchFileSnapshot(join(import.meta.dirname, "imagetools-create-plain.txt"));
  });

  it.each([
    [[], "no sources"],
    [["A:app:amd64"], "there is no name to push to"],
    [["--append", "--dry-run", "A:app:amd64"], "--append needs a --tag"],
    [["-t", "A:app:x", "--annotation", "k=v", "A:app:amd64"], "an annotation without a type cannot be given"],
    [["-t", "A:app:x", "--progress", "nice", "A:app:amd64"], 'invalid value "nice" for --progress'],
    [[`-tA:app@${digestOf("x")}`, "A:app:amd64"], "a digest cannot be chosen"],
    [["-t", "A:app:x", "{"], "not valid JSON"],
    [["-t", "A:app:x", "{}"], "digest is not of the form"],
  ])("refuses %j", async (words, message) => {
    const { exitCode, stderr } = await tool("create", ...words);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
  });
});
