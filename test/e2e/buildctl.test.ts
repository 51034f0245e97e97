// kiln buildctl with daemons: Kiln's own over a socket and over mutual TLS, none at all, and the BuildKit in docker's engine.
import { Buffer } from "node:buffer";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeDefinition, image, scratch } from "../../src/formats/llb/index.ts";
import { describeWith } from "../kit/needs.ts";
import { startRegistry } from "../kit/registry.ts";
import { testCertificate } from "../kit/registry-certificate.ts";
import { type Outcome, openWorld, type RunOptions, type World } from "./world.ts";

const program = resolve(import.meta.dirname, "../../bin/kiln");
const needs = ["root", "runtime", "registry", "bundle"] as const;
const dockerSocket = join(process.env["KILN_PEERS"] ?? "/tmp/peers", "run/docker.sock");

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A definition that runs a step and has one file of it. */
function definition(): Uint8Array {
  const built = image("docker.io/library/busybox:latest").run(["sh", "-c", "echo from LLB >/out"]);
  const platform = { os: "linux", architecture: "amd64" };
  const result = scratch().copy(built, "/out", "/out");
  return encodeDefinition(result.marshal({ platform, localUniqueId: "x" }));
}

/** Certificates for both sides of a connection to this machine. */
function makeCertificates(directory: string): void {
  mkdirSync(directory);
  const openssl = (...args: string[]) => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: directory, encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=ca");
  writeFileSync(join(directory, "names"), "subjectAltName=IP:127.0.0.1,DNS:buildkit.example\n");
  openssl("req", ...key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=peer");
  openssl(
    ...["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem"],
    ...["-CAcreateserial", "-out", "cert.pem", "-extfile", "names"],
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address ? address.port : 0;
}

describeWith(needs, "buildctl with Kiln's daemon", () => {
  let daemon: ChildProcess;
  let certificates: string;
  let tcp: string;
  let socket: string;
  let link: string;
  const dockerfile = ["--frontend", "dockerfile.v0"];

  beforeAll(async () => {
    certificates = join(world.directory, "certificates");
    makeCertificates(certificates);
    const file = (name: string) => join(certificates, `${name}.pem`);
    tcp = `tcp://127.0.0.1:${await freePort()}`;
    socket = `unix://${join(world.directory, "buildctl.sock")}`;
    link = join(world.directory, "buildctl");
    symlinkSync(program, link);
    const args = ["serve", "--root", join(world.directory, "served"), "--addr", socket];
    const tls = ["--tlscacert", file("ca"), "--tlscert", file("cert"), "--tlskey", file("key")];
    daemon = spawn(program, [...args, "--addr", tcp, ...tls], {
      stdio: "ignore",
      env: { ...process.env, KILN_CONFIG: join(world.directory, "kiln.toml") },
    });
    const ready = await buildctl(["--wait", "--timeout", "20", "debug", "info"]);
    if (ready.status !== 0) throw new Error(ready.stderr);
  });
  afterAll(() => void daemon.kill("SIGKILL"));

  const buildctl = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
    world.kiln(["buildctl", ...args], {
      ...options,
      env: { BUILDKIT_HOST: socket, ...options.env },
    });
  const build = (context: string, ...args: string[]): Promise<Outcome> =>
    buildctl([
      "build",
      ...dockerfile,
      ...["--local", `context=${context}`, "--local", `dockerfile=${context}`, ...args],
    ]);

  it("is there under its own name, and says which daemon answers", () => {
    const run = (...args: string[]) => spawnSync(link, args, { encoding: "utf8" });
    expect(run("--version").stdout).toMatch(/^buildctl kiln v/);
    expect(run("--addr", socket, "debug", "info").stdout).toMatch(/^BuildKit:\tkiln v/);
    expect(run("-addr", socket, "debug", "workers").stdout).toMatch(
      /^ID\t+PLATFORMS\n\w{25}\tlinux/,
    );
    expect(run().stdout).toContain("prune-histories");
  });

  it("speaks mutual TLS, and says what is wrong without", async () => {
    const info = (...args: string[]) => buildctl(["--addr", tcp, ...args, "debug", "info"]);
    expect((await info("--tlsdir", certificates)).stdout).toContain("kiln");
    const pem = (name: string) => join(certificates, `${name}.pem`);
    const files = ["--tlscacert", pem("ca"), "--tlscert", pem("cert"), "--tlskey", pem("key")];
    expect((await info(...files, "--tlsservername", "buildkit.example")).status).toBe(0);
    const stranger = await info(...files, "--tlsservername", "other.example");
    expect([stranger.status, stranger.stderr]).toEqual([
      1,
      expect.stringMatching(/other\.example/),
    ]);
    expect((await info()).status).toBe(1);
    expect((await info("--tlsdir", certificates, "--tlscacert", pem("ca"))).stderr).toContain(
      "cannot specify tlsdir",
    );
  });

  it("fails like the reference where nobody listens", async () => {
    const gone = await buildctl(["--addr", "unix:///nobody.sock", "build", ...dockerfile]);
    expect(gone.status).toBe(1);
    expect(gone.stderr).toContain(
      'error: listing workers for Build: failed to list workers: Unavailable: connection error: desc = "transport: Error while dialing: dial unix /nobody.sock: connect: no such file or directory"',
    );
    expect(gone.stderr).toContain("embedded://");
  });

  it("builds a definition from standard input", async () => {
    const out = join(world.directory, "llb-out");
    const args = ["build", "--output", `type=local,dest=${out}`];
    const built = await buildctl(args, { input: definition() });
    expect(built.status, built.stderr).toBe(0);
    expect(readFileSync(join(out, "out"), "utf8")).toBe("from LLB\n");
    const again = await buildctl([...args, "--no-cache"], { input: definition() });
    expect([again.status, again.stderr.includes("CACHED")]).toEqual([0, false]);
    expect((await buildctl(["build"])).stderr).toContain("empty definition sent to build");
  });

  it("builds a Dockerfile with arguments, secrets and every file that is asked for", async () => {
    const context = world.context({
      Dockerfile:
        "FROM busybox\nARG A\nRUN --mount=type=secret,id=s echo $A $(wc -c </run/secrets/s) >/made\n",
      secret: "12345",
    });
    const file = (name: string) => join(world.directory, name);
    const args = [
      ...["--opt", "build-arg:A", "--secret", `id=s,src=${join(context, "secret")}`],
      ...["--output", `type=local,dest=${file("out")}`, "--metadata-file", file("metadata")],
      ...["--ref-file", file("ref"), "--trace", file("trace"), "--progress", "rawjson"],
      ...["--debug-json-cache-metrics", file("metrics")],
    ];
    const built = await buildctl(
      [
        "build",
        ...dockerfile,
        ...["--local", `context=${context}`, "--local", `dockerfile=${context}`, ...args],
      ],
      { env: { A: "argument" } },
    );
    expect(built.status, built.stderr).toBe(0);
    expect(readFileSync(join(file("out"), "made"), "utf8")).toBe("argument 5\n");
    expect(JSON.parse(built.stderr.split("\n")[0] ?? "")).toHaveProperty("vertexes");
    expect(JSON.parse(readFileSync(file("trace"), "utf8").split("\n")[0] ?? "")).toHaveProperty(
      "vertexes",
    );
    expect(JSON.parse(readFileSync(file("metadata"), "utf8"))).toBeTypeOf("object");
    expect(readFileSync(file("metrics"), "utf8")).toContain('"user_total":');
    const ref = readFileSync(file("ref"), "utf8");
    expect((await buildctl(["debug", "histories"])).stdout).toContain(ref);
    expect((await buildctl(["debug", "logs", ref, "--progress", "plain"])).stdout).toContain(
      "load build definition",
    );
    expect((await buildctl(["debug", "ctl", "--pin", ref])).status).toBe(0);
    const listed = await buildctl([
      "debug",
      "histories",
      "--format",
      "{{.Type}} {{.Record.Ref}} {{.Record.Pinned}} {{.Record.Logs.Digest}}",
    ]);
    const [, digest = ""] =
      new RegExp(`^COMPLETE ${ref} true (\\S+)$`, "m").exec(listed.stdout) ?? [];
    expect((await buildctl(["debug", "get", digest])).stdout).toContain("load build definition");
    expect((await buildctl(["prune-histories"])).stdout).not.toContain(ref);
    expect((await buildctl(["debug", "ctl", "--delete", ref])).status).toBe(0);
    expect((await buildctl(["debug", "histories"])).stdout.trim().split("\n")).toHaveLength(1);
  });

  it.each([
    ["type=tar", "tar"],
    ["type=oci,name=x:1", "oci"],
    ["type=docker,name=x:1", "docker"],
  ])("sends %s to standard output and to files", async (output, name) => {
    const context = world.context({ Dockerfile: "FROM busybox\n" });
    const dest = join(world.directory, `${name}.tar`);
    expect((await build(context, "--output", `${output},dest=${dest}`)).status).toBe(0);
    expect(statSync(dest).size).toBeGreaterThan(100_000);
    expect((await build(context, "--output", output)).stdout.length).toBeGreaterThan(100_000);
  });

  it("writes an OCI layout as a directory, and builds on it", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo base >/base\n" });
    const dest = join(world.directory, "layout");
    const output = `type=oci,tar=false,name=r.example/base:1,dest=${dest}`;
    const made = await build(context, "--output", output);
    expect(made.status, made.stderr).toBe(0);
    const index = JSON.parse(readFileSync(join(dest, "index.json"), "utf8"));
    expect(index.manifests[0].annotations).toMatchObject({
      "io.containerd.image.name": "r.example/base:1",
      "org.opencontainers.image.ref.name": "1",
    });
    const upper = world.context({ Dockerfile: "FROM base\nRUN cat /base >/upper\n" });
    const out = join(world.directory, "on-layout");
    const named = `context:base=oci-layout://lent@${index.manifests[0].digest}`;
    const lent = ["--oci-layout", `lent=${dest}`, "--opt", named];
    const built = await build(upper, ...lent, "--output", `type=local,dest=${out}`);
    expect(built.status, built.stderr).toBe(0);
    expect(readFileSync(join(out, "upper"), "utf8")).toBe("base\n");
  });

  it("takes caches elsewhere and back, bare references among them", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo cached >/cached\n" });
    const ref = `${world.registry.address}/cache:1`;
    const directory = join(world.directory, "cache");
    const to = ["--export-cache", ref, "--export-cache", `type=local,dest=${directory}`];
    expect((await build(context, ...to)).status).toBe(0);
    expect(existsSync(join(directory, "index.json"))).toBe(true);
    for (const from of [ref, `type=local,src=${directory}`]) {
      const embedded = [
        ...["--daemonless", "--root", join(world.directory, `fresh-${from.length}`), "build"],
        ...[...dockerfile, "--local", `context=${context}`, "--local", `dockerfile=${context}`],
        ...["--import-cache", from],
      ];
      const built = await buildctl(embedded, { env: { BUILDKIT_HOST: "" } });
      expect(built.status, built.stderr).toBe(0);
      expect(built.stderr).toMatch(/RUN echo cached >\/cached\n#\d+ CACHED/);
    }
  });

  it("shows the failed line as the reference does", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo said && exit 7\n" });
    const failed = await build(context);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(
      /\nDockerfile:2\n-{20}\n {3}1 \| {5}FROM busybox\n {3}2 \| >>> RUN echo said && exit 7\n {3}3 \| {5}\n-{20}\nerror: failed to solve: process "\/bin\/sh -c echo said && exit 7" did not complete successfully: exit code: 7\n$/,
    );
    expect(failed.stderr).toContain(" > [2/2] RUN echo said && exit 7:\n");
  });

  it("ends as the reference does where there is no such command", async () => {
    for (const words of [["nonsense"], ["debug", "nonsense"]]) {
      const { status, stderr } = await buildctl(words);
      expect(status).toBe(3);
      expect(stderr).toMatch(/^No help topic for 'nonsense'\n/);
    }
  });

  it("asks for entitlements", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN --security=insecure true\n" });
    const refused = await build(context, "--allow", "security.insecure");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("security.insecure");
  });

  it("denies what a source policy denies", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\n" });
    const file = join(context, "policy.json");
    const selector = { identifier: "docker-image://docker.io/library/busybox:*" };
    writeFileSync(file, JSON.stringify({ rules: [{ action: "DENY", selector }] }));
    const denied = await build(context, "--source-policy-file", file);
    expect(denied.status).toBe(1);
    expect(denied.stderr).toMatch(/denied|not allowed/);
  });

  it("answers questions to the frontend", async () => {
    const context = world.context({ Dockerfile: "FROM busybox AS first\nFROM first AS second\n" });
    const { stdout, status } = await build(context, "--opt", "requestid=frontend.targets");
    expect(status).toBe(0);
    expect(stdout).toContain("second");
  });

  it("fetches tokens for registries with the certificates that are named", async () => {
    const auth = { kind: "token", username: "me", password: "secret" } as const;
    await using registry = await startRegistry({ auth, tls: testCertificate });
    const context = world.context({ Dockerfile: "FROM busybox\n", "ca.pem": testCertificate.cert });
    const config = join(world.directory, "tokens");
    mkdirSync(config);
    const login = { auth: Buffer.from("me:secret").toString("base64") };
    const auths = { auths: { [registry.host]: login } };
    writeFileSync(join(config, "config.json"), JSON.stringify(auths));
    const output = `type=image,name=${registry.host}/app:1,push=true,registry.insecure=true`;
    const push = (ca: string) =>
      build(
        context,
        ...["--docker-config", config, "--output", output],
        ...["--registry-auth-tlscontext", `host=https://${registry.host},ca=${ca}`],
      );
    const other = join(certificates, "ca.pem");
    const refused = await push(other);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/certificate/);
    expect(registry.guard.issued).toEqual([]);
    const pushed = await push(join(context, "ca.pem"));
    expect(pushed.status, pushed.stderr).toBe(0);
    expect(registry.guard.issued.length).toBeGreaterThan(0);
  });

  it("stops when it is interrupted", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN sleep 5432\n" });
    const sleeping = () => spawnSync("pgrep", ["-f", "^sleep 5432"]).status === 0;
    const args = ["--local", `context=${context}`, "--local", `dockerfile=${context}`];
    let child: ChildProcess | undefined;
    const ended = buildctl(["build", ...dockerfile, ...args], {
      started: (started) => {
        child = started;
      },
    });
    await expect.poll(sleeping, { timeout: 20_000 }).toBe(true);
    child?.kill("SIGINT");
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("error: failed to solve: Canceled"),
    ]);
    await expect.poll(sleeping, { timeout: 10_000 }).toBe(false);
  });

  it("lends its connection to another program", async () => {
    const relayed = join(world.directory, "relay.sock");
    const server = createServer((client) => {
      const env = { ...process.env, BUILDKIT_HOST: socket };
      const relay = spawn(link, ["dial-stdio"], { env, stdio: ["pipe", "pipe", "ignore"] });
      client.pipe(relay.stdin);
      relay.stdout.pipe(client);
    });
    await new Promise<void>((done) => server.listen(relayed, done));
    const { stdout } = await buildctl(["--addr", `unix://${relayed}`, "debug", "info"]);
    server.close();
    expect(stdout).toContain("kiln");
  });

  it("says what is kept, and removes it", async () => {
    const du = await buildctl(["du"]);
    expect(du.stdout).toMatch(/^ID\t+RECLAIMABLE\tSIZE\t+LAST ACCESSED\n/);
    expect(du.stdout).toMatch(/\nTotal:\t+[\d.]+MB\n$/);
    expect((await buildctl(["du", "-v"])).stdout).toMatch(/^ID:\t+\S+\n/);
    const ids = await buildctl(["du", "--format", "{{range .}}{{.ID}} {{end}}"]);
    expect(ids.stdout.trim().split(" ").length).toBeGreaterThan(1);
    const pruned = await buildctl(["prune", "--keep-duration", "1h"]);
    expect(pruned.stdout).toBe("Total:\t0B\n");
    expect((await buildctl(["prune", "--all"])).stdout).toMatch(/\nTotal:\t[\d.]+MB\n$/);
  });
});

describeWith(needs, "buildctl without a daemon", () => {
  it("reads a daemon's flags, and is called by the script's name", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo alone >/alone\n" });
    const script = join(world.directory, "buildctl-daemonless.sh");
    symlinkSync(program, script);
    const root = join(world.directory, "alone");
    const out = join(world.directory, "alone-out");
    const run = (...args: string[]) =>
      spawnSync(script, args, {
        encoding: "utf8",
        env: {
          ...process.env,
          KILN_CONFIG: join(world.directory, "kiln.toml"),
          BUILDKITD_FLAGS: `--root '${root}' --oci-worker-platform linux/amd64,linux/armhf`,
        },
      });
    const local = ["--local", `context=${context}`, "--local", `dockerfile=${context}`];
    const built = run(
      "build",
      "--frontend",
      "dockerfile.v0",
      ...local,
      "-o",
      `type=local,dest=${out}`,
    );
    expect(built.status, built.stderr).toBe(0);
    expect(readFileSync(join(out, "alone"), "utf8")).toBe("alone\n");
    expect(existsSync(join(root, "metadata"))).toBe(true);
    expect(run("debug", "workers").stdout).toContain("\tlinux/amd64,linux/arm/v7\n");
    expect(run("debug", "histories").stdout).toContain("COMPLETE");
    expect(run("debug", "dump-metadata", "--root", root).stdout).toContain("cache-records");
    expect(run("prune", "--all").status).toBe(0);
  });
});

describe.skipIf(!existsSync(dockerSocket))("buildctl with the BuildKit in docker's engine", () => {
  it("builds, exports and fails there", async () => {
    const context = world.context({ Dockerfile: "FROM scratch\nCOPY a /a\n", a: "there" });
    const env = { DOCKER_HOST: `unix://${dockerSocket}`, BUILDKIT_HOST: "docker://default" };
    const run = (...args: string[]) => world.kiln(["buildctl", ...args], { env });
    const build = (...args: string[]) =>
      run(
        ...["build", "--frontend", "dockerfile.v0", "--local", `context=${context}`],
        ...["--local", `dockerfile=${context}`, ...args],
      );
    expect((await run("debug", "info")).stdout).toContain("moby/buildkit");
    const out = join(world.directory, "docker-out");
    expect((await build("-o", `type=local,dest=${out}`)).status).toBe(0);
    expect(readFileSync(join(out, "a"), "utf8")).toBe("there");
    const layout = join(world.directory, "docker-layout");
    expect((await build("-o", `type=oci,tar=false,dest=${layout}`)).status).toBe(0);
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
    expect(index.manifests).toHaveLength(1);
    writeFileSync(join(context, "bad"), "FROM scratch\nCOPY nothing /\n");
    const failed = await build("--opt", "filename=bad");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("   2 | >>> COPY nothing /\n");
    expect(failed.stderr).toContain("error: failed to solve: failed to compute cache key");
    const asked = await build("--opt", "requestid=frontend.outline");
    expect([asked.status, asked.stdout]).toEqual([
      0,
      expect.stringMatching(/BUILD ARG|TARGET|^\s*$/),
    ]);
    const targets = await world.kiln(
      ["build", "--builder", "default", "--call=targets,format=json", context],
      { env },
    );
    expect(JSON.parse(targets.stdout)).toMatchObject({ targets: [{ base: "scratch" }] });
  });
});
