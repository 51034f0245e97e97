// kiln build against a builder that tells a story: what is asked of it, what is lent, what is written.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { digestOf, KilnError, uncancelled } from "../../../src/base/index.ts";
import { runKiln, type Stage } from "./world.ts";

const files = { "app/Dockerfile": "FROM scratch\n", "app/a.txt": "a", secret: "s3cret" };
const ask = async (argv: readonly string[], stage: Stage = {}) => {
  const outcome = await runKiln(["build", ...argv], { files, ...stage });
  expect(outcome.stderr, outcome.stderr).not.toContain("error:");
  return outcome.requests[0];
};

describe("what is asked of the builder", () => {
  it("is an image for the local store by default", async () => {
    const request = await ask(["app"]);
    expect(request).toMatchObject({ frontend: "dockerfile.v0", attrs: { filename: "Dockerfile" } });
    expect(request?.exporters).toEqual([{ type: "image", attrs: {} }]);
    expect(request?.ref).toMatch(/^[0-9a-z]{25}$/);
  });

  const attrs: [string[], Record<string, string>, Stage?][] = [
    [["--platform", "linux/amd64,linux/aarch64", "--platform=arm"], { platform: "linux/amd64,linux/arm64,linux/arm/v7" }],
    [[], { platform: "linux/arm64" }, { env: { DOCKER_DEFAULT_PLATFORM: "linux/arm64" } }],
    [["--platform=local"], { platform: "linux/amd64" }, { env: { DOCKER_DEFAULT_PLATFORM: "linux/arm64" } }],
    [["--target", "x"], { target: "x" }],
    [["--build-arg", "A=1", "--build-arg=B"], { "build-arg:A": "1", "build-arg:B": "env" }, { env: { B: "env" } }],
    [["--label", "a=b"], { "label:a": "b" }],
    [["--no-cache"], { "no-cache": "" }],
    [["--no-cache-filter", "a", "--no-cache-filter=b"], { "no-cache": "a,b" }],
    [["--no-cache-filter", "a", "--no-cache"], { "no-cache": "" }],
    [["--pull"], { "image-resolve-mode": "pull" }],
    [["--network=none"], { "force-network-mode": "none" }],
    [["--add-host", "a:1.2.3.4,b=::1"], { "add-hosts": "a=1.2.3.4,b=::1" }],
    [["--ulimit", "nofile=5"], { ulimit: "nofile=5:5" }],
    [["--shm-size", "64m"], { "shm-size": "67108864" }],
    [["--build-context", "x=docker-image://alpine"], { "context:x": "docker-image://alpine" }],
    [["--build-context", "x=app"], { "context:x": "local:x" }],
    [[], { "build-arg:SOURCE_DATE_EPOCH": "5" }, { env: { SOURCE_DATE_EPOCH: "5" } }],
    [["--build-arg=SOURCE_DATE_EPOCH=6"], { "build-arg:SOURCE_DATE_EPOCH": "6" }, { env: { SOURCE_DATE_EPOCH: "5" } }],
  ];
  it.each(attrs)("with %j has the attributes %j", async (argv, expected, stage) => {
    expect((await ask([...argv, "app"], stage))?.attrs).toMatchObject(expected);
  });

  const outputs: [string[], unknown[]][] = [
    [["-t", "a", "-t", "localhost:5000/b:1"], [{ type: "image", attrs: { name: "docker.io/library/a:latest,localhost:5000/b:1" } }]],
    [["-t", "a", "--push"], [{ type: "image", attrs: { push: "true", name: "docker.io/library/a:latest" } }]],
    [["-o", "type=registry,name=x/y"], [{ type: "image", attrs: { push: "true", name: "x/y" } }]],
    [["-t", "a", "--push", "-o", "type=image,compression=zstd"], [
      { type: "image", attrs: { compression: "zstd", push: "true", name: "docker.io/library/a:latest" } },
    ]],
    [["-t", "a", "--push", "-o", "out"], [
      { type: "local", attrs: {} },
      { type: "image", attrs: { push: "true", name: "docker.io/library/a:latest" } },
    ]],
    [["--annotation", "index:a=b", "-o", "type=oci,dest=x.tar"], [{ type: "oci", attrs: { "annotation-index.a": "b" } }]],
    [["-o", "type=cacheonly"], []],
  ];
  it.each(outputs)("with %j goes to %j", async (argv, expected) => {
    expect((await ask([...argv, "app"]))?.exporters).toEqual(expected);
  });
});

describe("what is lent to the build", () => {
  const lent = async (argv: readonly string[], read: Required<Stage>["during"], stage: Stage = {}) => {
    const outcome = await runKiln(["build", ...argv], { files, during: read, ...stage });
    expect([outcome.stderr.includes("error:"), outcome.exitCode], outcome.stderr).toEqual([false, 0]);
  };

  it("is the context and the Dockerfile's directory, in place", async () => {
    await lent(["-f", "app/Dockerfile", "--build-context", "more=.", "app"], async (session) => {
      expect(session.directory("context")).toMatch(/\/app$/);
      expect(session.directory("dockerfile")).toMatch(/\/app$/);
      expect(session.directory("more")).toBe(join(session.directory("context") ?? "", ".."));
      expect(session.directory("other")).toBeUndefined();
    });
  });

  it("is a Dockerfile from standard input, with a context and without", async () => {
    const check: Required<Stage>["during"] = async (session) => {
      expect(readFileSync(join(session.directory("dockerfile") ?? "", "Dockerfile"), "utf8")).toBe("FROM x\n");
    };
    await lent(["-f", "-", "app"], check, { stdin: "FROM x\n" });
    await lent(["-"], check, { stdin: "FROM x\n" });
  });

  it("are secrets from files and variables", async () => {
    const flags = ["id=a,src=secret", "id=b,env=B", "type=env,id=c,src=B", "id=B", "id=none,env=NONE"].flatMap((one) => ["--secret", one]);
    await lent(
      [...flags, "app"],
      async (session) => {
        const read = async (id: string) => new TextDecoder().decode((await session.secret(id, uncancelled)) ?? new Uint8Array());
        expect(await Promise.all(["a", "b", "c", "B", "none", "other"].map(read))).toEqual(["s3cret", "bee", "bee", "bee", "", ""]);
        expect(await session.secret("none", uncancelled)).toBeUndefined();
      },
      { env: { B: "bee" } },
    );
  });

  it("a lower-case dockerfile will do", async () => {
    const outcome = await runKiln(["build", "app"], { files: { "app/dockerfile": "FROM scratch\n" } });
    expect(outcome.requests[0]?.attrs["filename"]).toBe("dockerfile");
  });
});

describe("what is written", () => {
  const [config, index] = [digestOf("config"), digestOf("index")];
  const descriptor = { mediaType: "application/vnd.oci.image.index.v1+json", digest: index, size: 5 };
  const response = {
    "containerimage.digest": index,
    "containerimage.config.digest": config,
    "containerimage.descriptor": btoa(JSON.stringify(descriptor)),
    "image.name": "docker.io/library/a:latest",
    "containerimage.config": "{}",
  };
  const result = { exporterResponse: response };

  it("is the image ID when quiet, and nothing else", async () => {
    const { stdout, stderr } = await runKiln(["build", "-q", "app"], { files, result });
    expect([stdout, stderr]).toEqual([`${config}\n`, ""]);
  });

  it("are the files that were asked for", async () => {
    await runKiln(["build", "--iidfile", "iid", "--metadata-file=meta.json", "app"], { files, result }, (directory) => {
      expect(readFileSync(join(directory, "iid"), "utf8")).toBe(config);
      const metadata = JSON.parse(readFileSync(join(directory, "meta.json"), "utf8"));
      expect(metadata).toEqual({
        "buildx.build.ref": expect.stringMatching(/^default\/default\/[0-9a-z]{25}$/),
        "containerimage.config.digest": config,
        "containerimage.descriptor": descriptor,
        "containerimage.digest": index,
        "image.name": "docker.io/library/a:latest",
      });
    });
  });

  it("is an archive on standard output", async () => {
    const send: Stage["during"] = (session, call) => session.receive({ index: 0, type: "tar" }, bytes("tar"), call);
    const { stdout } = await runKiln(["build", "-o", "-", "app"], { files, during: send });
    expect(stdout).toBe("tar");
  });

  it("is an archive that is there whole or not at all", async () => {
    const half = async function* () {
      yield new Uint8Array(5);
      throw new KilnError("EXPORT_FAILED", "broken");
    };
    for (const [data, there] of [[bytes("tar"), true], [half(), false]] as const) {
      const send: Stage["during"] = (session, call) => session.receive({ index: 0, type: "tar" }, data, call);
      await runKiln(["build", "-o", "type=tar,dest=out.tar", "app"], { files, during: send }, (directory) => {
        expect(existsSync(join(directory, "out.tar"))).toBe(there);
      });
    }
  });
});

test("a failed build exits with 1, a bug with 100, Ctrl-C with 130", async () => {
  const failures = [new KilnError("PROCESS_FAILED", "x"), new KilnError("DISK_FULL", "x"), new TypeError("x")];
  const outcomes = failures.map((result) => runKiln(["build", "app"], { files, result }));
  expect((await Promise.all(outcomes)).map(({ exitCode }) => exitCode)).toEqual([1, 1, 100]);
  const controller = new AbortController();
  const during: Stage["during"] = async () => controller.abort(Object.assign(new Error("interrupted"), { name: "AbortError" }));
  const cancelled = await runKiln(["build", "app"], { files, during, call: { signal: controller.signal } });
  expect(cancelled.exitCode).toBe(130);
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

describe("--call", () => {
  const response = (warnings: number) => ({
    exporterResponse: {
      "result.json": JSON.stringify({ warnings: Array(warnings).fill({}) }),
      "result.txt": "details\n",
      ...(warnings > 0 ? { "result.statuscode": "1" } : {}),
    },
  });
  const cases: [string[], number, string, number][] = [
    [["--check"], 0, "Check complete, no warnings found.\ndetails\n", 0],
    [["--check"], 1, "Check complete, 1 warning has been found!\ndetails\n", 1],
    [["--call=check,ignorestatus=true"], 2, "Check complete, 2 warnings have been found!\ndetails\n", 0],
    [["--call", "lint,format=json"], 0, '{"warnings":[]}\n', 0],
    [["--call=outline"], 0, "details\n", 0],
  ];
  it.each(cases)("%j with %d warnings", async (argv, warnings, text, code) => {
    const outcome = await runKiln(["build", ...argv, "app"], { files, result: response(warnings) });
    expect([outcome.stdout, outcome.exitCode]).toEqual([text, code]);
  });
  it("asks the frontend, and wants nothing delivered", async () => {
    const outcome = await runKiln(["build", "--check", "-t", "a", "app"], { files, result: response(0) });
    expect(outcome.requests[0]).toMatchObject({ exporters: [], attrs: { requestid: "frontend.lint" } });
  });
});
