// Other tools read what Kiln writes, for each media type and compression, and Kiln builds on what they push.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { validateLayout } from "../kit/image-spec.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const families = { oci: "true", docker: "false" } as const;
const compressions = ["gzip", "uncompressed", "zstd", "estargz"] as const;

interface Format {
  readonly family: keyof typeof families;
  readonly compression: (typeof compressions)[number];
  readonly tag: string;
}

const formats: readonly Format[] = Object.keys(families).flatMap((family) =>
  compressions
    // Under Docker's media types only some tools read zstd, and there is no place for annotations.
    .filter((one) => family === "oci" || one === "gzip" || one === "uncompressed")
    .map((compression) => ({
      family: family as keyof typeof families,
      compression,
      tag: `${family}-${compression}`,
    })),
);

/** Also tools that are not installed, but lie in a directory of their own. */
const peers = process.env["KILN_PEERS"] ?? "/tmp/peers";
const path = `${process.env["PATH"]}${delimiter}${join(peers, "bin")}`;
const dockerSocket = join(peers, "run/docker.sock");
const environment = {
  ...process.env,
  PATH: path,
  DOCKER_HOST: process.env["DOCKER_HOST"] ?? `unix://${dockerSocket}`,
  COSIGN_PASSWORD: "",
  // What somebody is logged in to is no part of the test.
  DOCKER_CONFIG: undefined,
};

type Tool = (format: Format, name: string, directory: string) => void;

function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    env: environment,
    encoding: "utf8",
    timeout: 120_000,
  });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr.slice(-2000)}`);
}

const tools: Readonly<Record<string, Tool>> = {
  skopeo(_format, name, directory) {
    run("skopeo", "inspect", "--tls-verify=false", `docker://${name}`);
    run("skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${name}`, `oci:${directory}:x`);
  },
  umoci({ compression }, name, directory) {
    // Its tar reader knows gzip and plain layers.
    if (compression === "zstd") throw new Unsupported("no zstd");
    const source = `docker://${name}`;
    run("skopeo", "copy", "-q", "--src-tls-verify=false", source, `oci:${directory}/layout:x`);
    run("umoci", "unpack", "--image", `${directory}/layout:x`, `${directory}/bundle`);
    expect(readFileSync(join(directory, "bundle/rootfs/greeting"), "utf8")).toBe("hello\n");
  },
  crane({ compression }, name, directory) {
    // Its check of layers knows gzip only.
    if (/gz/.test(compression)) run("crane", "validate", "--insecure", "--remote", name);
    run("crane", "pull", "--insecure", "--format=oci", name, join(directory, "crane"));
  },
  oras(_format, name, directory) {
    run("oras", "manifest", "fetch", "--plain-http", name);
    run("oras", "copy", "--from-plain-http", "--to-oci-layout", name, `${directory}/oras:x`);
  },
  buildah(_format, name, directory) {
    const store = ["--root", `${directory}/root`, "--runroot", `${directory}/run`];
    const own = [...store, "--storage-driver", "vfs"];
    const from = ["from", "-q", "--tls-verify=false", name];
    const container = run("buildah", ...own, ...from).trim();
    const mounted = run("buildah", ...own, "mount", container).trim();
    expect(readFileSync(join(mounted, "greeting"), "utf8")).toBe("hello\n");
    run("buildah", ...own, "umount", container);
    run("buildah", ...own, "rm", container);
  },
  podman(_format, name, directory) {
    // It takes no longer path for this than 50 characters.
    const runRoot = mkdtempSync(join(tmpdir(), "podman-"));
    const store = ["--root", `${directory}/root`, "--runroot", runRoot];
    const own = [...store, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"];
    try {
      run("podman", ...own, "pull", "-q", "--tls-verify=false", name);
      const container = run("podman", ...own, "create", "--network", "none", name).trim();
      const mounted = run("podman", ...own, "mount", container).trim();
      expect(readFileSync(join(mounted, "greeting"), "utf8")).toBe("hello\n");
      run("podman", ...own, "umount", container);
    } finally {
      rmSync(runRoot, { recursive: true, force: true });
    }
  },
  docker(_format, name) {
    run("docker", "pull", "-q", name);
    expect(run("docker", "run", "--rm", "--network", "none", name)).toBe("hello\n");
    run("docker", "rmi", "-f", name);
  },
  cosign(_format, name, directory) {
    const key = join(directory, "cosign");
    run("cosign", "generate-key-pair", "--output-key-prefix", key);
    const common = ["--allow-insecure-registry", "--allow-http-registry"];
    const offline = [
      "--use-signing-config=false",
      "--tlog-upload=false",
      "--new-bundle-format=false",
    ];
    run("cosign", "sign", "--yes", ...common, ...offline, "--key", `${key}.key`, name);
    const verify = ["--insecure-ignore-tlog=true", "--new-bundle-format=false"];
    run("cosign", "verify", ...common, ...verify, "--key", `${key}.pub`, name);
  },
};

class Unsupported extends Error {}

/** What a tool needs beside its program. */
function isThere(tool: string): boolean {
  const found = path.split(delimiter).some((one) => existsSync(join(one, tool)));
  return found && (tool !== "docker" || existsSync(dockerSocket));
}

describeWith(["root", "runtime", "registry", "bundle", "apt"], "interoperation", () => {
  let world: World;
  const cells = new Map<string, string>();
  const nameOf = ({ tag }: Format) => `${world.registry.address}/interop:${tag}`;

  beforeAll(async () => {
    world = await openWorld();
    const context = world.context({
      Dockerfile:
        "FROM busybox\nCOPY greeting /\nRUN mkdir /made && ln /greeting /made/hard && ln -s hard /made/soft && chmod 600 /made/hard && chown -h 7:8 /made/soft\nCMD cat /greeting\n",
      greeting: "hello\n",
    });
    for (const format of formats) {
      const attrs = `oci-mediatypes=${families[format.family]},compression=${format.compression}`;
      const output = `type=image,name=${nameOf(format)},push=true,${attrs},force-compression=true`;
      const layout = join(world.directory, `layout-${format.tag}`);
      const local = `type=oci,tar=false,dest=${layout},${attrs},force-compression=true`;
      const built = await world.kiln(["build", "-o", output, "-o", local, context]);
      expect([format.tag, built.status, built.status === 0 ? "" : built.stderr]).toEqual([
        format.tag,
        0,
        "",
      ]);
    }
  });
  afterAll(async () => {
    const tags = formats.map(({ tag }) => tag);
    const rows = Object.keys(tools).map(
      (tool) =>
        `| ${[tool, ...tags.map((tag) => cells.get(`${tool} ${tag}`) ?? "?")].join(" | ")} |`,
    );
    const table = [`| | ${tags.join(" | ")} |`, `| --- |${" --- |".repeat(tags.length)}`, ...rows];
    process.stdout.write(`${table.join("\n")}\n`);
    await world?.[Symbol.asyncDispose]();
  });

  describe.each(formats)("$tag", (format) => {
    it("is what the image specification says", () => {
      expect(validateLayout(join(world.directory, `layout-${format.tag}`))).toEqual([]);
    });

    it.each(Object.keys(tools))("is read by %s", (tool) => {
      const cell = `${tool} ${format.tag}`;
      if (!isThere(tool)) {
        cells.set(cell, "not here");
        process.stdout.write(`skipped: ${tool} is not here\n`);
        return;
      }
      const directory = join(world.directory, `${tool}-${format.tag}`);
      mkdirSync(directory);
      try {
        tools[tool]?.(format, nameOf(format), directory);
        cells.set(cell, "yes");
      } catch (error) {
        if (!(error instanceof Unsupported)) {
          cells.set(cell, "no");
          throw error;
        }
        cells.set(cell, error.message);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  });

  it("podman fetches the files of an eStargz layer by its table, in parts", () => {
    if (!isThere("podman")) {
      process.stdout.write("skipped: podman is not here\n");
      return;
    }
    const directory = mkdtempSync(join(tmpdir(), "podman-"));
    const config = join(directory, "storage.conf");
    const name = nameOf({ family: "oci", compression: "estargz", tag: "oci-estargz" });
    writeFileSync(
      config,
      `[storage]\ndriver = "overlay"\ngraphroot = "${directory}/root"\nrunroot = "${directory}/run"\n[storage.options]\npull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}\n`,
    );
    const env = { ...environment, CONTAINERS_STORAGE_CONF: config };
    const podman = (...args: readonly string[]) =>
      spawnSync("podman", args, { env, encoding: "utf8", timeout: 120_000 });
    try {
      const pull = podman("--log-level", "debug", "pull", "--tls-verify=false", name);
      expect([pull.status, pull.stderr.slice(-2000)]).toEqual([0, expect.anything()]);
      expect(pull.stderr.match(/Retrieved partial blob/g)?.length).toBeGreaterThan(0);
      const mounted = podman("image", "mount", name).stdout.trim();
      expect(readFileSync(join(mounted, "greeting"), "utf8")).toBe("hello\n");
    } finally {
      podman("image", "unmount", "-a", "-f");
      podman("rmi", "-a", "-f");
      spawnSync("umount", [join(directory, "root/overlay")]);
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("Kiln builds on images that other tools have pushed", async () => {
    const base = nameOf({ family: "oci", compression: "gzip", tag: "oci-gzip" });
    const pushed: string[] = [];
    if (isThere("skopeo")) {
      const flags = ["--src-tls-verify=false", "--dest-tls-verify=false"];
      for (const as of ["v2s2", "oci"]) {
        const name = `${world.registry.address}/by-skopeo:${as}`;
        run("skopeo", "copy", "-q", ...flags, "-f", as, `docker://${base}`, `docker://${name}`);
        pushed.push(name);
      }
    }
    if (isThere("crane")) {
      const name = `${world.registry.address}/by-crane:1`;
      run("crane", "mutate", "--insecure", "--label", "a=b", "-t", name, base);
      pushed.push(name);
    }
    for (const name of pushed) {
      const context = world.context({
        Dockerfile: `FROM ${name}\nRUN grep hello /greeting && touch /on-top\n`,
      });
      const { status, stderr } = await world.kiln([
        "build",
        "-o",
        join(world.directory, "out"),
        context,
      ]);
      expect([name, status, status === 0 ? "" : stderr]).toEqual([name, 0, ""]);
      expect(existsSync(join(world.directory, "out/on-top"))).toBe(true);
      rmSync(join(world.directory, "out"), { recursive: true });
    }
  });

  it("the same inputs give the same digest, elsewhere and under other circumstances", async () => {
    const files = {
      Dockerfile: "FROM busybox\nCOPY . /src\nRUN date > /dev/null; umask; mkdir /d\n",
    };
    const more = { a: "1", b: "2", "c/d": "3" };
    const digests = new Set<string>();
    const circumstances: readonly (readonly [Record<string, string>, string])[] = [
      [{ TZ: "UTC", LC_ALL: "C" }, "022"],
      [{ TZ: "Asia/Tokyo", LC_ALL: "de_DE.UTF-8", KILN_JOBS: "1" }, "077"],
      [{ TZ: "America/Caracas", LANG: "tr_TR.UTF-8", UV_THREADPOOL_SIZE: "1" }, "000"],
    ];
    for (const [index, [env, umask]] of circumstances.entries()) {
      const entries = Object.entries({ ...files, ...more });
      if (index % 2 === 1) entries.reverse();
      const context = world.context(Object.fromEntries(entries));
      // Modes of files are part of what is built: they are the same in each context.
      execFileSync("chmod", ["-R", "u=rwX,go=rX", context]);
      const metadata = join(world.directory, `metadata-${index}.json`);
      const kiln = join(import.meta.dirname, "../../bin/kiln");
      // The last has one processor only.
      const pinned = index === circumstances.length - 1 ? "taskset -c 0" : "";
      const script = `umask ${umask}; exec ${pinned} "$@"`;
      const root = join(world.directory, `root-${index}`);
      const args = ["--root", root, "build", "--metadata-file", metadata, context];
      execFileSync("sh", ["-c", script, "sh", kiln, ...args], {
        env: { ...process.env, ...env, KILN_CONFIG: join(world.directory, "kiln.toml") },
        stdio: "pipe",
      });
      const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8"));
      digests.add(digest);
    }
    expect([...digests]).toHaveLength(1);
  });

  it("no secret is in anything that leaves the build", async () => {
    const canary = "canary-4f9c1e7d";
    const context = world.context({
      Dockerfile:
        "FROM busybox\nRUN --mount=type=secret,id=s test -s /run/secrets/s\nRUN --mount=type=secret,id=s,env=S echo $S >&2\n",
    });
    const secret = join(world.directory, "secret");
    writeFileSync(secret, canary);
    const out = join(world.directory, "canary");
    const metadata = join(world.directory, "canary.json");
    const { status, stdout, stderr } = await world.kiln(
      [
        "build",
        ...["--secret", `id=s,src=${secret}`, "--provenance", "mode=max", "--sbom", "true"],
        ...["--progress", "rawjson", "--metadata-file", metadata],
        ...["-o", `type=oci,tar=false,compression=uncompressed,dest=${out}`, context],
      ],
      { env: { BUILDX_METADATA_PROVENANCE: "max" } },
    );
    expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
    expect(validateLayout(out)).toEqual([]);
    const found = spawnSync("grep", ["-rl", canary, out, metadata], { encoding: "utf8" });
    expect(found.stdout).toBe("");
    expect(stdout + stderr).not.toContain(canary);
    expect(readFileSync(metadata, "utf8")).toContain('"id": "s"');
  });
});
