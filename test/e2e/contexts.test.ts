// Where a build's files come from: directories, standard input, repositories, URLs, named contexts; and what ADD fetches.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { tarOf } from "../kit/tar.ts";
import { type Outcome, openWorld, type World } from "./world.ts";

describeWith(["root", "registry", "bundle"], "contexts", () => {
  let world: World;
  let server: Server;
  let at: string;
  /** What the server has, by path. */
  let served: Record<string, string | Uint8Array>;
  let asked: string[];
  let outputs = 0;

  beforeAll(async () => {
    world = await openWorld();
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const file = served[request.url ?? ""];
      if (file === undefined) response.writeHead(404).end();
      else {
        const etag = `"${createHash("sha1").update(file).digest("hex")}"`;
        response.setHeader("etag", etag);
        response.setHeader("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT");
        if (request.headers["if-none-match"] === etag) response.writeHead(304).end();
        else response.end(file);
      }
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server?.close();
    await world?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    served = {};
    asked = [];
  });

  /** Builds into a new directory; answers that and what was said. */
  const build = async (
    args: readonly string[],
    options: Parameters<World["kiln"]>[1] = {},
  ): Promise<Outcome & { readonly out: string }> => {
    const out = join(world.directory, `out-${++outputs}`);
    const run = await world.kiln(["build", "--progress=plain", "-o", out, ...args], options);
    return { ...run, out };
  };
  const built = async (...args: Parameters<typeof build>): Promise<string> => {
    const { status, stderr, out } = await build(...args);
    expect(status, stderr).toBe(0);
    return out;
  };
  const text = (out: string, path: string) => readFileSync(join(out, path), "utf8");

  const dockerfile = "FROM scratch\nCOPY a.txt /copied\n";
  const archive = () =>
    tarOf([
      { path: "Dockerfile", data: dockerfile },
      { path: "a.txt", data: "A" },
    ]);
  const gzipped = () => execFileSync("gzip", ["-c"], { input: archive() });

  describe("on standard input", () => {
    it("a Dockerfile alone is built without files", async () => {
      const out = await built(["-"], { input: "FROM scratch\nWORKDIR /made\n" });
      expect(readdirSync(out)).toEqual(["made"]);
    });

    it.each([
      ["a tar archive", archive],
      ["a gzip-compressed one", gzipped],
    ])("%s is the context", async (_name, data) => {
      expect(text(await built(["-"], { input: data() }), "copied")).toBe("A");
    });

    it("an archive may hold the Dockerfile under another name", async () => {
      const input = tarOf([
        { path: "sub/", data: "" },
        { path: "sub/D", data: dockerfile },
        { path: "a.txt", data: "A" },
      ]);
      expect(text(await built(["-f", "sub/D", "-"], { input }), "copied")).toBe("A");
    });

    it("-f - is a Dockerfile for a directory", async () => {
      const context = world.context({ "a.txt": "A", Dockerfile: "no Dockerfile" });
      expect(text(await built(["-f", "-", context], { input: dockerfile }), "copied")).toBe("A");
    });

    it("an archive tells the time of its newest file for SOURCE_DATE_EPOCH=context", async () => {
      const input = tarOf([
        {
          path: "Dockerfile",
          data: "FROM scratch\nWORKDIR /made\n",
          mtime: 1_500_000_000n * 10n ** 9n,
        },
        { path: "a.txt", mtime: 1_600_000_000n * 10n ** 9n },
      ]);
      const out = await built(["--build-arg", "SOURCE_DATE_EPOCH=context", "-"], { input });
      expect(lstatSync(join(out, "made")).mtimeMs).toBe(1_600_000_000_000);
    });

    it("nothing at all is an error that says so", async () => {
      const { status, stderr } = await build(["-"], { input: "" });
      expect(status).toBe(1);
      expect(stderr).toContain("nothing came on standard input");
    });

    it("an archive that is cut is an error", async () => {
      const { status, stderr } = await build(["-"], { input: gzipped().subarray(0, 60) });
      expect(status).toBe(1);
      expect(stderr).toMatch(/DOCKERFILE_NOT_FOUND|ARCHIVE_INVALID/);
    });
  });

  describe("of a directory", () => {
    it("may have its Dockerfile elsewhere, with an ignore file of its own", async () => {
      const context = world.context({ "a.txt": "A", "b.txt": "B", ".dockerignore": "a.txt\n" });
      const other = world.context({
        "my.Dockerfile": "FROM scratch\nCOPY . /\n",
        "my.Dockerfile.dockerignore": "b.txt\n",
      });
      const out = await built(["-f", join(other, "my.Dockerfile"), context]);
      expect(readdirSync(out).sort()).toEqual([".dockerignore", "a.txt"]);
    });

    it("does not tell a time for SOURCE_DATE_EPOCH=context", async () => {
      const context = world.context({ "a.txt": "A", "b.txt": "B", Dockerfile: dockerfile });
      const told = await built(["--build-arg", "SOURCE_DATE_EPOCH=context", context]);
      expect(text(told, "copied")).toBe("A");
    });

    it("may have its Dockerfile behind a URL", async () => {
      served["/d"] = dockerfile;
      const context = world.context({ "a.txt": "A" });
      expect(text(await built(["-f", `${at}/d`, context]), "copied")).toBe("A");
      served["/d"] = "FROM scratch\nRUNN x\n";
      const { stderr } = await build(["-f", `${at}/d`, context]);
      expect(stderr).toContain(`${at}/d:2`);
    });
  });

  describe("behind a URL", () => {
    it("an archive is the context, downloaded once", async () => {
      served["/context.tar.gz"] = gzipped();
      expect(text(await built([`${at}/context.tar.gz`]), "copied")).toBe("A");
      expect(text(await built([`${at}/context.tar.gz`]), "copied")).toBe("A");
      expect(asked).toEqual(["GET /context.tar.gz", "GET /context.tar.gz"]);
    });

    it("anything else is the Dockerfile", async () => {
      served["/d"] = "FROM scratch\nWORKDIR /made\n";
      expect(readdirSync(await built([`${at}/d`]))).toEqual(["made"]);
      served["/d"] = "FROM scratch\nRUNN x\n";
      expect((await build([`${at}/d`])).stderr).toContain(`${at}/d:2`);
    });

    it("a web page is named for what it is", async () => {
      served["/owner/name"] = "<!DOCTYPE html>\n<html></html>";
      const { status, stderr } = await build([`${at}/owner/name`]);
      expect(status).toBe(1);
      expect(stderr).toContain(`${at}/owner/name is a web page`);
      expect(stderr).toContain(`For a git repository, write ${at}/owner/name.git.`);
    });

    it("nothing is an error with the address", async () => {
      const { status, stderr } = await build([`${at}/gone.tar`]);
      expect(status).toBe(1);
      expect(stderr).toContain(`downloading ${at}/gone.tar: the server answered 404 Not Found`);
    });
  });

  describe("of a repository", () => {
    let daemon: ChildProcess;
    let remote: string;
    beforeAll(async () => {
      const served = join(world.directory, "served");
      const repository = join(served, "r.git");
      mkdirSync(join(repository, "sub"), { recursive: true });
      const git = (...args: string[]) =>
        execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], {
          cwd: repository,
          env: { ...process.env, GIT_COMMITTER_DATE: "1600000000 +0000" },
        });
      git("init", "-q", "-b", "main");
      writeFileSync(join(repository, "Dockerfile"), dockerfile);
      writeFileSync(join(repository, "a.txt"), "first");
      writeFileSync(join(repository, "sub/Dockerfile"), "FROM scratch\nCOPY . /\n");
      writeFileSync(join(repository, "sub/b.txt"), "below");
      git("add", "-A");
      git("commit", "-qm", "one");
      git("tag", "v1");
      writeFileSync(join(repository, "a.txt"), "second");
      git("commit", "-qam", "two");
      const port = await freePort();
      daemon = spawn(
        "git",
        [
          "daemon",
          "--export-all",
          "--reuseaddr",
          `--base-path=${served}`,
          `--port=${port}`,
          "--listen=127.0.0.1",
        ],
        { stdio: "ignore" },
      );
      await answers(port);
      remote = `git://127.0.0.1:${port}/r.git`;
    });
    afterAll(() => daemon?.kill());

    it.each([
      ["", "second"],
      ["#v1", "first"],
      ["?ref=v1", "first"],
      ["?tag=v1", "first"],
    ])("with %j after its address is that commit", async (suffix, expected) => {
      expect(text(await built([remote + suffix]), "copied")).toBe(expected);
    });

    it.each(["#v1:sub", "?ref=v1&subdir=sub"])("%s is a directory of it", async (suffix) => {
      expect(readdirSync(await built([remote + suffix])).sort()).toEqual(["Dockerfile", "b.txt"]);
    });

    it("has its .git only where that is asked for", async () => {
      const all = ["-f", "sub/Dockerfile"];
      expect(existsSync(join(await built([...all, remote]), ".git"))).toBe(false);
      const keep = ["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1"];
      expect(existsSync(join(await built([...all, ...keep, remote]), ".git"))).toBe(true);
    });

    it("tells the time for SOURCE_DATE_EPOCH=context", async () => {
      const epoch = ["--build-arg", "SOURCE_DATE_EPOCH=context"];
      const out = await built([...epoch, remote]);
      expect(lstatSync(join(out, "copied")).mtimeMs).toBe(1_600_000_000_000);
    });

    it("without the wanted ref is an error with its name", async () => {
      const { status, stderr } = await build([`${remote}#nope`]);
      expect(status).toBe(1);
      expect(stderr).toContain('has no branch or tag "nope"');
    });

    it("may be added, and be a named context", async () => {
      const context = world.context({
        Dockerfile: `FROM scratch\nADD ${remote}#v1 /added/\nADD --keep-git-dir ${remote} /kept/\nCOPY --from=repo sub/b.txt /\n`,
      });
      const epoch = ["--build-arg", "SOURCE_DATE_EPOCH=repo"];
      const out = await built([...epoch, "--build-context", `repo=${remote}#v1`, context]);
      expect(lstatSync(join(out, "b.txt")).mtimeMs).toBe(1_600_000_000_000);
      expect(readdirSync(join(out, "added")).sort()).toEqual(["Dockerfile", "a.txt", "sub"]);
      expect(readdirSync(join(out, "kept"))).toContain(".git");
      expect(text(out, "b.txt")).toBe("below");
    });
  });

  describe("that are named", () => {
    it("replace an image, with an ignore file of their own", async () => {
      const base = world.context({ "a.txt": "A", "b.txt": "B", ".dockerignore": "b.txt\n" });
      const context = world.context({ Dockerfile: "FROM scratch\nCOPY --from=alpine . /\n" });
      const out = await built(["--build-context", `alpine=${base}`, context]);
      expect(readdirSync(out).sort()).toEqual([".dockerignore", "a.txt"]);
    });

    it("replace a stage of the file", async () => {
      const stage = world.context({ file: "replaced" });
      const context = world.context({
        Dockerfile: "FROM busybox AS made\nRUN exit 7\nFROM scratch\nCOPY --from=made file /\n",
      });
      const out = await built(["--build-context", `made=${stage}`, context]);
      expect(text(out, "file")).toBe("replaced");
    });

    it("may be images, and differ by platform", async () => {
      const files = world.context({ "bin/which": "a directory" });
      const context = world.context({
        Dockerfile: "FROM scratch\nCOPY --from=tools /bin/which /\n",
      });
      const out = await built([
        "--platform=linux/amd64,linux/arm64",
        "--build-context=tools=docker-image://busybox",
        `--build-context=tools::linux/arm64=${files}`,
        context,
      ]);
      expect(text(out, "linux_arm64/which")).toBe("a directory");
      expect(lstatSync(join(out, "linux_amd64/which")).size).toBeGreaterThan(100);
    });

    it("may be images of an OCI layout, whose layers are read only when needed", async () => {
      const layout = join(world.directory, "layout");
      const base = world.context({
        Dockerfile: "FROM scratch\nENV WHERE=/opt\nCOPY a.txt /opt/\n",
        "a.txt": "A",
      });
      const output = `type=oci,tar=false,dest=${layout}`;
      const made = await world.kiln(["build", "-t", "base:2", "-o", output, base]);
      expect(made.status, made.stderr).toBe(0);
      const context = world.context({
        Dockerfile: "FROM base\nWORKDIR $WHERE/below\n",
      });
      const out = await built(["--build-context", `base=oci-layout://${layout}:2`, context]);
      expect(readdirSync(join(out, "opt")).sort()).toEqual(["a.txt", "below"]);
      const { stderr } = await build(["--build-context", `base=oci-layout://${layout}:3`, context]);
      expect(stderr).toContain("the layout has no image tagged 3");
      expect(stderr).toContain("Did you mean :2?");
    });

    it("that are not there are named", async () => {
      const context = world.context({ Dockerfile: "FROM scratch\n" });
      const { status, stderr } = await build(["--build-context", "x=./nowhere", context]);
      expect(status).toBe(1);
      expect(stderr).toContain("build context x=./nowhere does not exist");
    });
  });

  describe("and ADD", () => {
    it("of a URL makes a private file with the server's time, and checks its checksum", async () => {
      served["/tool.sh"] = "tool";
      const sum = createHash("sha256").update("tool").digest("hex");
      const file = (checksum: string) =>
        world.context({
          Dockerfile: `FROM scratch\nADD --checksum=sha256:${checksum} ${at}/tool.sh /\nADD --chmod=755 ${at}/tool.sh /x\n`,
        });
      const out = await built([file(sum)]);
      const { mode, mtimeMs } = lstatSync(join(out, "tool.sh"));
      expect([mode & 0o777, mtimeMs]).toEqual([0o600, 1_700_000_000_000]);
      expect(lstatSync(join(out, "x")).mode & 0o777).toBe(0o755);
      const { status, stderr } = await build([
        file(sum.replace(/^./, (c) => (c === "0" ? "1" : "0"))),
      ]);
      expect(status).toBe(1);
      expect(stderr).toContain("CHECKSUM_MISMATCH");
      expect(stderr).toContain("Dockerfile:2");
    });

    it("of a URL unpacks only when told", async () => {
      served["/x.tar.gz"] = gzipped();
      const context = world.context({
        Dockerfile: `FROM scratch\nADD ${at}/x.tar.gz /packed/\nADD --unpack ${at}/x.tar.gz /unpacked/\n`,
      });
      const out = await built([context]);
      expect(readdirSync(join(out, "packed"))).toEqual(["x.tar.gz"]);
      expect(readdirSync(join(out, "unpacked")).sort()).toEqual(["Dockerfile", "a.txt"]);
    });

    it.each(["gzip", "xz", "bzip2", "zstd"])("unpacks local archives of %s", async (program) => {
      const context = world.context({ Dockerfile: "FROM scratch\nADD x /unpacked/\n" });
      writeFileSync(join(context, "x"), execFileSync(program, ["-c"], { input: archive() }));
      expect(text(await built([context]), "unpacked/a.txt")).toBe("A");
    });

    it("needs no program for xz and bzip2, and names it where an archive does", async () => {
      const context = world.context({ Dockerfile: "FROM scratch\nADD x y /unpacked/\n" });
      const pack = (name: string, program: string, ...args: readonly string[]) => {
        const input = tarOf([{ path: name }]);
        writeFileSync(join(context, name), execFileSync(program, ["-c", ...args], { input }));
      };
      pack("x", "xz");
      pack("y", "bzip2");
      const bin = join(world.directory, "bin");
      mkdirSync(bin);
      execFileSync("ln", ["-s", process.execPath, join(bin, "node")]);
      const unpacked = await build([context], { env: { PATH: bin } });
      expect(unpacked.status, unpacked.stderr).toBe(0);
      expect(readdirSync(join(unpacked.out, "unpacked")).sort()).toEqual(["x", "y"]);
      pack("x", "xz", "--arm64", "--lzma2=dict=1MiB");
      const { status, stderr } = await build([context], { env: { PATH: bin } });
      expect(status).toBe(1);
      expect(stderr).toContain("only xz itself can read");
      expect(stderr).toContain("apt-get install xz-utils");
    });

    it("of a URL in a stage of its own tells the time for SOURCE_DATE_EPOCH", async () => {
      served["/stamp"] = "x";
      const context = world.context({
        Dockerfile: `FROM scratch AS when\nADD ${at}/stamp /\nFROM scratch\nCOPY a.txt /\n`,
        "a.txt": "A",
      });
      const out = await built(["--build-arg", "SOURCE_DATE_EPOCH=when", context]);
      expect(lstatSync(join(out, "a.txt")).mtimeMs).toBe(1_700_000_000_000);
    });
  });
});

async function freePort(): Promise<number> {
  const probe = createTcpServer();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}

async function answers(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const open = await new Promise<boolean>((done) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        done(true);
      }).on("error", () => done(false));
    });
    if (open) return;
    await new Promise((wait) => setTimeout(wait, 50));
  }
  throw new Error("git daemon does not answer");
}
