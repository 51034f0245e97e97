// kiln imagetools inspect against a registry in this process.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../../src/base/index.ts";
import { type Descriptor, mediaTypes, serializeIndex, serializeManifest } from "../../../src/formats/oci/index.ts";
import { startRegistry, type TestRegistry } from "../../kit/registry.ts";
import { runKiln } from "./world.ts";

let registry: TestRegistry;
const config: Descriptor = { mediaType: mediaTypes.ociConfig, digest: digestOf("config"), size: 6 };
const manifest = serializeManifest({ mediaType: mediaTypes.ociManifest, config, layers: [] });
const entry = (architecture: string, variant?: string): Descriptor => ({
  mediaType: mediaTypes.ociManifest,
  digest: digestOf(architecture + variant),
  size: 5,
  platform: { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) },
});
const attestation: Descriptor = {
  ...entry("unknown"),
  platform: { os: "unknown", architecture: "unknown" },
  annotations: { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": entry("amd64").digest },
};
const index = serializeIndex({
  mediaType: mediaTypes.ociIndex,
  manifests: [entry("amd64"), entry("arm", "v7"), attestation],
});

beforeAll(async () => {
  registry = await startRegistry();
  registry.store.addManifest("app", "many", { data: index, mediaType: mediaTypes.ociIndex });
  registry.store.addManifest("app", "one", { data: manifest, mediaType: mediaTypes.ociManifest });
  for (const [data, mediaType] of [[index, mediaTypes.ociIndex], [manifest, mediaTypes.ociManifest]] as const) {
    registry.store.addManifest("app", digestOf(data), { data, mediaType });
  }
});
afterAll(() => registry[Symbol.asyncDispose]());

describe("inspect", () => {
  const cases: [string, string[]][] = [
    ["inspect-index", ["app:many"]],
    ["inspect-manifest", ["app:one"]],
    ["inspect-json", ["--format", "{{ json .Manifest }}", "app:many"]],
  ];
  it.each(cases)("%s", async (name, argv) => {
    const stdout = await inspect(argv);
    await expect(stdout.replaceAll(registry.host, "HOST")).toMatchFileSnapshot(join(import.meta.dirname, `${name}.txt`));
  });

  it("--raw prints the very bytes", async () => {
    expect(await inspect(["--raw", "app:many"])).toBe(new TextDecoder().decode(index));
  });

  it("finds by digest, and shows the name without a tag", async () => {
    const stdout = await inspect([`app@${digestOf(index)}`]);
    expect(stdout).toContain(`Name:      ${registry.host}/app@${digestOf(index)}\n`);
    expect(stdout).toContain(`Name:        ${registry.host}/app@${entry("amd64").digest}\n`);
  });

  it("says what is not there", async () => {
    const { exitCode, stderr } = await runKiln(["imagetools", "inspect", `${registry.host}/app:none`]);
    expect([exitCode, stderr.replaceAll(registry.host, "HOST")]).toEqual([
      1,
      "error: HOST/app:none: not found in the registry\n" +
        "hint: Check the name and the tag, and that you may read the repository.\n" +
        "[IMAGE_NOT_FOUND] docs/errors.md#image_not_found\n",
    ]);
  });
});

async function inspect(argv: readonly string[]): Promise<string> {
  const named = argv.map((word) => (word.startsWith("app") ? `${registry.host}/${word}` : word));
  const { stdout, stderr, exitCode } = await runKiln(["imagetools", "inspect", ...named]);
  expect([stderr, exitCode]).toEqual(["", 0]);
  return stdout;
}
