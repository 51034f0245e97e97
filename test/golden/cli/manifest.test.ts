// `kiln manifest`: docker's verbs on docker's local store, as scripts written for docker use them.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseIndex } from "../../../src/formats/oci/index.ts";
import { addImage, addIndex } from "../../kit/images.ts";
import { startRegistry, type TestRegistry } from "../../kit/registry.ts";
import { runKiln } from "./world.ts";

let registry: TestRegistry;
let directory: string;
beforeEach(async () => {
  registry = await startRegistry();
  directory = mkdtempSync(join(tmpdir(), "kiln-manifest-"));
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** R: stands for the registry. */
async function manifest(...words: string[]) {
  const argv = words.map((word) => word.replaceAll("R:", `${registry.host}/`));
  const outcome = await runKiln(["manifest", ...argv], { env: { DOCKER_CONFIG: directory } });
  const shown = (text: string) => text.replaceAll(registry.host, "HOST");
  return { ...outcome, stdout: shown(outcome.stdout), stderr: shown(outcome.stderr) };
}
async function done(...words: string[]): Promise<string> {
  const { exitCode, stderr, stdout } = await manifest(...words);
  expect([stderr, exitCode]).toEqual(["", 0]);
  return stdout;
}
const golden = (name: string) => join(import.meta.dirname, `manifest-${name}.txt`);
const pushed = (repository: string, tag: string) => {
  const found = registry.store.manifest(repository, tag);
  if (!found) throw new Error(`${repository}:${tag} is not there`);
  return found;
};
const linux = (architecture: string, variant?: string) => ({ os: "linux", architecture, ...(variant ? { variant } : {}) });

describe("the long way to an image for several processors", () => {
  const architectures = ["amd64", "arm32v7", "arm64v8", "ppc64le", "s390x"];
  beforeEach(() => {
    // Images that were built on one machine for others often say that machine's architecture.
    for (const name of architectures) addImage(registry, "team/app", { tag: `v1-${name}`, docker: true, layer: name });
  });

  it("is create, annotate, push: each says what docker says", async () => {
    const images = architectures.map((name) => `R:team/app:v1-${name}`);
    expect(await done("create", "R:team/app:v1", ...images)).toBe("Created manifest list HOST/team/app:v1\n");
    expect(await done("annotate", "R:team/app:v1", "R:team/app:v1-arm32v7", "--os=linux", "--arch=arm", "--variant=v7")).toBe("");
    await done("annotate", "R:team/app:v1", "R:team/app:v1-arm64v8", "--os=linux", "--arch=arm64", "--variant=v8");
    await done("annotate", "R:team/app:v1", "R:team/app:v1-ppc64le", "--os=linux", "--arch=ppc64le");
    await done("annotate", "R:team/app:v1", "R:team/app:v1-s390x", "--os=linux", "--arch=s390x");
    const printed = await done("push", "R:team/app:v1");
    const { data, mediaType } = pushed("team/app", "v1");
    const index = parseIndex(data, mediaType);
    expect(mediaType).toBe("application/vnd.docker.distribution.manifest.list.v2+json");
    expect(index.manifests.map(({ platform }) => platform)).toEqual([
      linux("amd64"),
      linux("arm", "v7"),
      linux("arm64", "v8"),
      linux("ppc64le"),
      linux("s390x"),
    ]);
    expect(printed).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    await expect(await done("inspect", "R:team/app:v1")).toMatchFileSnapshot(golden("inspect-list"));
    await done("push", "--purge", "R:team/app:v1");
    expect(readdirSync(join(directory, "manifests"))).toEqual([]);
    // Now it comes from the registry, and is the same.
    await expect(await done("inspect", "R:team/app:v1")).toMatchFileSnapshot(golden("inspect-list"));
  });

  it("keeps lists where docker keeps them", async () => {
    await done("create", "R:team/app:v1", "R:team/app:v1-amd64");
    const host = registry.host.replace(":", "-");
    const file = join(directory, "manifests", `${host}_team_app-v1`, `${host}_team_app-v1-amd64`);
    const document = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    expect(Object.keys(document)).toEqual(["Ref", "Descriptor", "Raw", "SchemaV2Manifest"]);
  });
});

describe("create", () => {
  it("does not touch a list that is there, unless it is to be amended", async () => {
    for (const tag of ["a", "b"]) addImage(registry, "app", { tag, layer: tag });
    await done("create", "R:app:1", "R:app:a");
    const { exitCode, stderr } = await manifest("create", "R:app:1", "R:app:b");
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("Add to it with --amend")]);
    await done("create", "--amend", "R:app:1", "R:app:b");
    await done("push", "R:app:1");
    expect(parseIndex(pushed("app", "1").data)).toMatchObject({ mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{}, {}] });
  });

  it("refuses lists, and says what joins them", async () => {
    addIndex(registry, "app", "many", [addImage(registry, "app")]);
    const { exitCode, stderr } = await manifest("create", "R:app:1", "R:app:many");
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("kiln imagetools create -t")]);
    expect(stderr).toContain("HOST/app:many is a manifest list");
  });
});

describe("inspect", () => {
  it("prints an image of a registry as it is, indented, or with everything that is known", async () => {
    addImage(registry, "app", { tag: "1" });
    await expect(await done("inspect", "R:app:1")).toMatchFileSnapshot(golden("inspect-image"));
    await expect(await done("inspect", "-v", "R:app:1")).toMatchFileSnapshot(golden("inspect-verbose"));
  });

  it("prints every image of a list", async () => {
    const entries = [addImage(registry, "app", { platform: linux("amd64") }), addImage(registry, "app", { platform: linux("arm", "v7") })];
    addIndex(registry, "app", "many", entries);
    const all = JSON.parse(await done("inspect", "--verbose", "R:app:many")) as { Ref: string; Descriptor: { platform: unknown } }[];
    expect(all.map(({ Descriptor }) => Descriptor.platform)).toEqual([{ architecture: "amd64", os: "linux" }, { architecture: "arm", os: "linux", variant: "v7" }]);
    expect(all.map(({ Ref }) => Ref)).toEqual(entries.map(({ digest }) => `HOST/app:many@${digest}`));
  });

  it("prints one image of a local list", async () => {
    addImage(registry, "app", { tag: "a" });
    await done("create", "R:app:1", "R:app:a");
    expect(await done("inspect", "R:app:1", "R:app:a")).toBe(await done("inspect", "R:app:a"));
    expect((await manifest("inspect", "R:app:1", "R:app:b")).stderr).toContain("has no image HOST/app:b");
  });
});

describe("push", () => {
  it("brings images over from other repositories", async () => {
    addImage(registry, "team/one", { tag: "a", platform: linux("amd64") });
    addImage(registry, "team/two", { tag: "b", platform: linux("arm64") });
    await done("create", "R:app:1", "R:team/one:a", "R:team/two:b");
    const printed = await done("push", "R:app:1");
    expect(printed.split("\n").map((line) => line.replaceAll(/sha256:\w+/g, "DIGEST"))).toEqual([
      "Pushed ref HOST/app@DIGEST with digest: DIGEST",
      "Pushed ref HOST/app@DIGEST with digest: DIGEST",
      "DIGEST",
      "",
    ]);
    for (const { digest } of parseIndex(pushed("app", "1").data).manifests) expect(registry.store.manifest("app", digest)).toBeDefined();
  });

  it("wants to know every platform", async () => {
    addImage(registry, "app", { tag: "a", platform: { os: "", architecture: "" } });
    await done("create", "R:app:1", "R:app:a");
    const { exitCode, stderr } = await manifest("push", "R:app:1");
    expect([exitCode, registry.store.manifest("app", "1")]).toEqual([1, undefined]);
    expect(stderr).toContain("kiln manifest annotate --os linux");
    const wrong = await manifest("annotate", "R:app:1", "R:app:a", "--os", "linux", "--arch", "arm65");
    expect(wrong.stderr).toContain("there is no operating system and architecture linux/arm65");
  });
});

it("rm forgets lists", async () => {
  addImage(registry, "app", { tag: "a" });
  await done("create", "R:app:1", "R:app:a");
  expect(await done("rm", "R:app:1")).toBe("");
  const { exitCode, stderr } = await manifest("rm", "R:app:1");
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("there is no manifest list HOST/app:1")]);
});
