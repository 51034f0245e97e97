// What is said about results beside them, through the built command: where it lies, what scanners are given, what is never in it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

describeWith(["root", "runtime", "registry", "bundle", "apt"], "attestations", () => {
  let world: World;
  let context: string;
  let scanner: string;

  beforeAll(async () => {
    world = await openWorld();
    context = world.context({
      Dockerfile:
        "ARG BUILDKIT_SBOM_SCAN_CONTEXT=true\nFROM busybox AS base\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nARG WORD\nRUN --mount=type=secret,id=token echo 1 > /made\nFROM scratch\nCOPY --from=base /made /\n",
      lent: "lent",
    });
    scanner = `${world.registry.address}/scanner:1`;
    // Writes a statement for each place it is given, with what it sees there.
    const program =
      'for d in $BUILDKIT_SCAN_SOURCE $BUILDKIT_SCAN_SOURCE_EXTRAS*; do n=$(basename $d); printf \'{"predicateType":"https://spdx.dev/Document","predicate":{"name":"%s","files":"%s","word":"%s"}}\' $n "$(ls $d | tr "\\n" " ")" $BUILDKIT_SCAN_WORD > $BUILDKIT_SCAN_DESTINATION/$n.spdx.json; done\n';
    const image = world.context({
      Dockerfile: 'FROM busybox\nCOPY scan /scan\nENTRYPOINT ["sh", "/scan"]\n',
      scan: program,
    });
    await done("-t", scanner, "--push", image);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  async function done(...argv: readonly string[]): Promise<void> {
    const env = { TOKEN: "canary" };
    const { status, stderr } = await world.kiln(["build", ...argv], { env });
    expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
  }
  const read = (...path: readonly string[]) =>
    JSON.parse(readFileSync(join(world.directory, ...path), "utf8"));
  const build = (...argv: readonly string[]) =>
    done("--secret", "id=token,env=TOKEN", "--build-arg", "WORD=said", ...argv, context);

  it("lie beside files, in each platform's directory or with its name", async () => {
    const both = ["--platform", "linux/amd64,linux/arm64", "--provenance", "mode=min"];
    const scratch = world.context({
      Dockerfile: "FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n",
      f: "f",
    });
    const listed = (name: string) =>
      (readdirSync(join(world.directory, name), { recursive: true }) as string[]).sort();
    await done(...both, "-o", "split", scratch);
    expect(listed("split")).toEqual([
      "linux_amd64",
      "linux_amd64/amd64",
      "linux_amd64/provenance.json",
      "linux_arm64",
      "linux_arm64/arm64",
      "linux_arm64/provenance.json",
    ]);
    const output = "type=local,dest=flat,platform-split=false,attestation-prefix=about-";
    await done(...both, "-o", output, scratch);
    expect(listed("flat")).toEqual([
      "about-provenance.linux_amd64.json",
      "about-provenance.linux_arm64.json",
      "amd64",
      "arm64",
    ]);
    expect(read("flat", "about-provenance.linux_arm64.json")).toMatchObject({
      predicateType: "https://slsa.dev/provenance/v1",
      subject: [{ name: "arm64" }],
    });
  });

  it("scanners see the result, stages and contexts that ask for it, and their options", async () => {
    await build("--sbom", `generator=${scanner},WORD=hello`, "-o", "scanned");
    const seen = (name: string) => read("scanned", name).predicate;
    expect(seen("sbom.spdx.json")).toMatchObject({ files: "made ", word: "hello" });
    expect(seen("sbom-base.spdx.json").files).toContain("made ");
    expect(seen("sbom-context.spdx.json").files).toBe("Dockerfile lent ");
    await build("--sbom=true", "-o", "own");
    expect(existsSync(join(world.directory, "own/sbom-base.spdx.json"))).toBe(true);
  });

  it("images list them with the platform they are about, and inspect shows the image's own first", async () => {
    const name = `${world.registry.address}/attested:1`;
    await build("--sbom", `generator=${scanner}`, "--provenance=true", "-t", name, "--push");
    const inspect = async (format: string) =>
      (await world.kiln(["imagetools", "inspect", "--format", format, name])).stdout;
    expect(JSON.parse(await inspect("{{json .SBOM}}"))).toMatchObject({ SPDX: { name: "sbom" } });
    const provenance = await inspect("{{json .Provenance}}");
    // In mode max build arguments are told, and names of secrets; their values never are.
    expect(provenance).toContain('"build-arg:WORD": "said"');
    expect(provenance).toContain('"id": "token"');
    expect(provenance).not.toContain("canary");
    const raw = (await world.kiln(["imagetools", "inspect", "--raw", name])).stdout;
    const [image, about] = JSON.parse(raw).manifests;
    expect(about).toMatchObject({
      platform: { os: "unknown", architecture: "unknown" },
      annotations: {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image.digest,
      },
    });
  });

  it("an archive has none that are only for images, and all that are for anybody", async () => {
    const typeOf = async (options: string, dest: string) => {
      await build("--provenance", options, "-o", `type=oci,tar=false,dest=${dest}`);
      return read(dest, "index.json").manifests[0].mediaType;
    };
    expect(await typeOf("mode=max,inline-only=true", "without")).toContain("manifest.v1");
    expect(await typeOf("mode=max", "with")).toContain("index.v1");
  });
});
