// kiln bake against a builder that tells a story: what is asked of it, what is lent, what is refused.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runKiln, type Stage } from "../cli/world.ts";

const hcl = `
group "default" {
  targets = ["a", "b"]
}
target "a" {
  target = "one"
  tags = ["r/a:1"]
  args = { X = "x", N = null }
}
target "b" {
  context = "sub"
  dockerfile-inline = "FROM base"
  contexts = { base = "target:a", dir = "." }
  platforms = ["linux/amd64", "linux/arm64"]
  secret = ["id=s,env=S"]
  output = ["type=oci,dest=b.tar"]
}
`;
const files = {
  "docker-bake.hcl": hcl,
  "Dockerfile": "FROM scratch\n",
  "sub/Dockerfile": "FROM scratch\n",
};

const bake = (argv: readonly string[], stage: Stage = {}, look?: (directory: string) => void) =>
  runKiln(["bake", ...argv], { files, ...stage }, look);

describe("what is asked of the builder", () => {
  it("is one build for each target, all on one builder", async () => {
    const { requests, stderr, exitCode } = await bake([]);
    expect([stderr.includes("error:"), exitCode], stderr).toEqual([false, 0]);
    expect(requests).toHaveLength(2);
    const a = requests.find(({ attrs }) => attrs["target"] === "one");
    const b = requests.find((one) => one !== a);
    expect(a).toMatchObject({
      frontend: "dockerfile.v0",
      attrs: { "target": "one", "build-arg:X": "x", "filename": "Dockerfile" },
      exporters: [{ type: "image", attrs: { name: "docker.io/r/a:1" } }],
    });
    expect(a?.attrs).not.toHaveProperty("build-arg:N");
    expect(a?.drive).toBeUndefined();
    expect(b?.attrs).toMatchObject({ platform: "linux/amd64,linux/arm64" });
    expect(b?.exporters).toEqual([{ type: "oci", attrs: {} }]);
    expect(b?.drive).toBeTypeOf("function");
  });

  it("is nothing for targets that are only used by others", async () => {
    const { requests } = await bake(["b"]);
    expect(requests.map(({ attrs }) => attrs["platform"])).toEqual(["linux/amd64,linux/arm64"]);
  });

  it("is what the command line says over the files", async () => {
    const { requests } = await bake(["a", "--set", "a.args.X=y", "--set", "*.platform=linux/arm64", "--push"]);
    expect(requests[0]).toMatchObject({
      attrs: { "build-arg:X": "y", "platform": "linux/arm64" },
      exporters: [{ type: "image", attrs: { push: "true" } }],
    });
  });

  it("has variables of --var before those of the environment", async () => {
    const text = 'variable "V" {\n  default = "d"\n}\ntarget "default" {\n  args = { v = V }\n}\n';
    const stage = { files: { ...files, "docker-bake.hcl": text }, env: { V: "e" } };
    expect((await bake([], stage)).requests[0]?.attrs).toMatchObject({ "build-arg:v": "e" });
    const given = await bake(["--var", "V=f"], stage);
    expect(given.requests[0]?.attrs).toMatchObject({ "build-arg:v": "f" });
    const off = { ...stage, env: { V: "e", BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP: "1" } };
    expect((await bake([], off)).requests[0]?.attrs).toMatchObject({ "build-arg:v": "d" });
  });

  it("may come from standard input", async () => {
    const { requests } = await bake(["-f", "-", "t"], { stdin: 'target "t" {\n  target = "in"\n}\n' });
    expect(requests[0]?.attrs).toMatchObject({ target: "in" });
  });
});

describe("what is lent", () => {
  it("is every directory under one name in all sessions, which say so", async () => {
    const { sessions } = await bake([]);
    const [a, b] = sessions;
    expect(a?.localsId).toBeTypeOf("string");
    expect(b?.localsId).toBe(a?.localsId);
    for (const name of ["context", "context-2", "dockerfile", "dir"])
      expect([name, b?.directory(name)]).toEqual([name, a?.directory(name)]);
    expect(a?.directory("context-2")).toMatch(/\/sub$/);
  });

  it("is each target's own secret", async () => {
    const seen: (string | undefined)[] = [];
    await bake([], {
      env: { S: "s3cret" },
      during: async (session, call) => {
        const secret = await session.secret("s", call);
        seen.push(secret && new TextDecoder().decode(secret));
      },
    });
    expect(seen.sort()).toEqual(["s3cret", undefined]);
  });
});

describe("what is written", () => {
  it("is a metadata file with each target under its name", async () => {
    const result = { exporterResponse: { "containerimage.digest": "sha256:aa" } };
    let metadata: unknown;
    await bake(["--metadata-file", "m.json"], { result }, (directory) => {
      metadata = JSON.parse(readFileSync(join(directory, "m.json"), "utf8"));
    });
    expect(metadata).toMatchObject({
      a: { "containerimage.digest": "sha256:aa", "buildx.build.ref": expect.stringMatching(/^default\/default\//) },
      b: { "containerimage.digest": "sha256:aa" },
    });
  });

  it("is a list of targets, or of variables", async () => {
    expect((await bake(["--list", "targets"])).stdout).toBe("TARGET\tDESCRIPTION\na\t\nb\t\ndefault\ta, b\n");
    expect((await bake(["--list", "type=variables,format=json"])).stdout).toBe("[]\n");
    expect((await bake(["--list", "foo"])).stderr).toContain('invalid list type "foo"');
  });
});

describe("what is refused", () => {
  const asking = (body: string): Stage => ({
    files: { ...files, "docker-bake.hcl": `target "default" {\n${body}\n}\n` },
  });

  it.each([
    ['  context = ".."\n  dockerfile = "DIR/Dockerfile"', "Read access to path .."],
    ['  output = ["../out"]', "Write access to path ../out"],
    ['  cache-to = ["type=local,dest=/elsewhere/cache"]', "Write access to path"],
    ['  network = "host"', "access host network"],
    ['  entitlements = ["security.insecure"]', "privileged containers"],
  ])("without permission: %s", async (body, words) => {
    const { stderr, requests, exitCode } = await bake([], asking(body.replace("DIR/", "")));
    // A context above has no Dockerfile: that mistake comes before the question.
    if (!body.includes('".."')) {
      expect(stderr).toContain(words);
      expect(stderr).toContain("additional privileges requested");
    }
    expect([requests.length, exitCode]).toEqual([0, 1]);
  });

  it.each([
    ['  network = "host"', ["--allow", "network.host"]],
    ['  output = ["../out"]', ["--allow", "fs.write=.."]],
    ['  output = ["../out"]', ["--allow", "fs=*"]],
  ])("no more where it is allowed: %s", async (body, argv) => {
    expect((await bake(argv, asking(body))).requests).toHaveLength(1);
  });

  it("are all mistakes of all targets at once", async () => {
    const text = 'target "a" {\n  tags = [nope]\n  args = { x = 1 / 0 }\n}\ntarget "b" {\n  tags = "x"\n}\n';
    const { stderr } = await bake(["a", "b"], { files: { ...files, "docker-bake.hcl": text } });
    for (const place of ["docker-bake.hcl:2:", "docker-bake.hcl:3:", "docker-bake.hcl:6:"])
      expect(stderr).toContain(place);
  });

  it("is a target that fails, by its name", async () => {
    const { stderr, exitCode } = await bake(["a", "--progress=quiet"], { result: new Error("it broke") });
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("it broke");
  });

  it("is a directory without any file", async () => {
    const { stderr } = await bake([], { files: { "x/": "" } });
    expect(stderr).toContain("couldn't find a bake definition");
  });
});
