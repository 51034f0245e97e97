// Caches between machines: one exports, another one that knows nothing imports, and no step runs there.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadSyscalls } from "../../src/storage/snapshot/index.ts";
import { openWorld, type World } from "./world.ts";

const needsRoot = process.getuid?.() !== 0;
if (needsRoot) console.warn("cache-backends: needs root to run steps, skipped");

const dockerfile = `FROM busybox AS tool
RUN echo "tool $RANDOM" > /tool && date +%N >> /tool
COPY data /data
FROM busybox
WORKDIR /work
COPY *.txt /texts/
RUN date +%s%N > /stamp
COPY --from=tool /tool /data /from/
RUN --mount=type=bind,from=tool,source=/data,target=/m cat /m/a > /copied
`;
const files = { Dockerfile: dockerfile, "data/a": "a\n", "data/sub/b": "b\n", "x.txt": "x\n" };

describe.skipIf(needsRoot)("caches that travel", { timeout: 300_000 }, () => {
  let world: World;
  let context: string;
  let machines = 0;

  beforeAll(async () => {
    world = await openWorld();
    context = world.context(files);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  /** Builds on a machine of its own, or on one that exists; answers with its output and the steps that were cached. */
  async function build(args: readonly string[], machine = `machine-${++machines}`) {
    const env = { KILN_ROOT: join(world.directory, machine) };
    const outcome = await world.kiln(["build", "--progress=plain", ...args, context], { env });
    expect(outcome.stderr + outcome.stdout).not.toContain("This is a bug");
    const cached = outcome.stderr.match(/^#\d+ CACHED$/gm)?.length ?? 0;
    const ran = steps(outcome.stderr);
    return { ...outcome, cached, ran, machine };
  }

  const image = (name: string) => ["-t", `${world.registry.address}/${name}`, "--push"];

  async function digestOf(name: string): Promise<string> {
    const { stdout } = await world.kiln([
      "imagetools",
      "inspect",
      "--format",
      "{{.Manifest.Digest}}",
      `${world.registry.address}/${name}`,
    ]);
    return stdout.trim();
  }

  test.each(["min", "max"])("through a registry, mode=%s", async (mode) => {
    const ref = `${world.registry.address}/cache-${mode}:main`;
    const to = `type=registry,ref=${ref},mode=${mode}`;
    const first = await build(["--cache-to", to, ...image(`app-${mode}:1`)]);
    expect(first.status).toBe(0);
    expect(first.ran.length).toBeGreaterThan(0);
    const second = await build(["--cache-from", ref, ...image(`app-${mode}:2`)]);
    expect(second.stderr).toContain(`importing cache manifest from ${ref}`);
    expect(second.status).toBe(0);
    expect(second.ran).toEqual([]);
    // The steps print what time it is: only the same layers make the same image.
    expect(await digestOf(`app-${mode}:2`)).toBe(await digestOf(`app-${mode}:1`));
  });

  const oci = "application/vnd.oci.image";
  const docker = "application/vnd.docker";
  test.each([
    ["", `${oci}.manifest.v1+json`, /tar\+gzip$/],
    ["image-manifest=false", `${oci}.index.v1+json`, /tar\+gzip$/],
    ["oci-mediatypes=false", `${docker}.distribution.manifest.list.v2+json`, /diff\.tar\.gzip$/],
    ["compression=zstd,force-compression=true", `${oci}.manifest.v1+json`, /tar\+zstd$/],
    ["compression=uncompressed,force-compression=true", `${oci}.manifest.v1+json`, /\.tar$/],
  ])("a registry's cache with %s is written so, and found", async (attrs, mediaType, packed) => {
    const ref = `${world.registry.address}/cache-form:${attrs.replace(/\W/g, "-")}x`;
    const to = `type=registry,ref=${ref},mode=max${attrs && `,${attrs}`}`;
    expect(await build(["--cache-to", to])).toMatchObject({ status: 0 });
    const { stdout } = await world.kiln(["imagetools", "inspect", "--raw", ref]);
    const document = JSON.parse(stdout);
    expect(document.mediaType).toBe(mediaType);
    const listed: readonly { readonly mediaType: string }[] = document.layers ?? document.manifests;
    const types = listed
      .map((one) => one.mediaType)
      .filter((type) => !type.includes("cacheconfig"));
    expect(types.filter((type) => !packed.test(type))).toEqual([]);
    // The same text serves both ends.
    const after = await build(["--cache-from", to]);
    expect([after.status, after.ran]).toEqual([0, []]);
  });

  test("a change in one stage runs what depends on it, with mode=max and not more", async () => {
    const ref = `${world.registry.address}/cache-partial:main`;
    await build(["--cache-to", `type=registry,ref=${ref},mode=max`]);
    writeFileSync(join(context, "x.txt"), "changed\n");
    try {
      const after = await build(["--cache-from", ref]);
      expect(after.ran.filter((name) => name.startsWith("[tool "))).toEqual([]);
      expect(after.ran.some((name) => name.includes("RUN date +%s%N"))).toBe(true);
    } finally {
      writeFileSync(join(context, "x.txt"), "x\n");
    }
  });

  test("through a directory, and on from there without loss", async () => {
    const one = join(world.directory, "cache-one");
    const two = join(world.directory, "cache-two");
    await build(["--cache-to", `type=local,dest=${one},mode=max`]);
    const between = await build([
      "--cache-from",
      `type=local,src=${one}`,
      "--cache-to",
      `type=local,dest=${two},mode=max`,
    ]);
    expect(between.ran).toEqual([]);
    rmSync(one, { recursive: true });
    const last = await build(["--cache-from", `type=local,src=${two}`]);
    expect(last.ran).toEqual([]);
    expect(recordsOf(two)).toBeGreaterThan(6);
  });

  test("inside of an image, asked for by either name", async () => {
    await build(["--cache-to", "type=inline", ...image("inline:1")]);
    const after = await build(["--cache-from", `${world.registry.address}/inline:1`]);
    expect(after.ran.filter((name) => name.includes("stage-1"))).toEqual([]);
    await build(["--build-arg", "BUILDKIT_INLINE_CACHE=1", ...image("inline:2")]);
    const again = await build(["--cache-from", `${world.registry.address}/inline:2`]);
    expect(again.ran.filter((name) => name.includes("stage-1"))).toEqual([]);
  });

  test("what was imported is kept: the next build needs the import no more", async () => {
    const ref = `${world.registry.address}/cache-max:main`;
    const { machine } = await build(["--cache-from", ref]);
    const later = await build([], machine);
    expect(later.ran).toEqual([]);
  });

  test("a cache that is not there is a warning", async () => {
    const ref = `${world.registry.address}/nothing:here`;
    const after = await build(["--cache-from", ref]);
    expect(after.status).toBe(0);
    expect(after.stderr).toMatch(/ERROR: .*nothing:here: not found/);
    expect(after.stderr).toContain("1 warning found");
  });

  test("layers that have gone behind a valid cache mean that steps run", async () => {
    const directory = join(world.directory, "cache-gone");
    await build(["--cache-to", `type=local,dest=${directory},mode=max`]);
    const manifest = readManifest(directory);
    for (const { digest } of manifest.layers)
      rmSync(join(directory, "blobs/sha256", digest.slice(7)), { force: true });
    const after = await build(["--cache-from", `type=local,src=${directory}`]);
    expect(after.status).toBe(0);
    expect(after.ran.length).toBeGreaterThan(0);
    // What is left is no layout any more, and would be taken for one of Kiln's making.
    rmSync(directory, { recursive: true });
  });

  test("a cache that cannot be written fails the build, unless told to ignore it", async () => {
    const file = join(world.directory, "in-the-way");
    mkdirSync(world.directory, { recursive: true });
    writeFileSync(file, "");
    const dest = `type=local,dest=${join(file, "cache")}`;
    expect((await build(["--cache-to", dest])).status).not.toBe(0);
    expect((await build(["--cache-to", `${dest},ignore-error=true`])).status).toBe(0);
  });

  test("mistakes are told before any work", async () => {
    const unknown = await build(["--cache-to", "type=regsitry,ref=x"]);
    expect(unknown.status).not.toBe(0);
    expect(unknown.stderr).toContain("Did you mean type=registry?");
  });
});

/** Names of the steps that ran: those that a stage's bracket begins and that were not cached. */
function steps(stderr: string): readonly string[] {
  const names = new Map<string, string>();
  const cached = new Set<string>();
  for (const line of stderr.split("\n")) {
    const [, id = "", rest = ""] = /^(#\d+) (.*)$/.exec(line) ?? [];
    if (rest === "CACHED") cached.add(id);
    else if (/^\[(?!internal)[^\]]*\d+\/\d+\]/.test(rest) && !rest.includes("] FROM"))
      names.set(id, rest);
  }
  return [...names].filter(([id]) => !cached.has(id)).map(([, name]) => name);
}

function readManifest(directory: string): {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
} {
  const read = (path: string) => JSON.parse(readFileSync(join(directory, path), "utf8"));
  const [root] = read("index.json").manifests;
  expect(readdirSync(join(directory, "blobs/sha256")).length).toBeGreaterThan(2);
  return read(`blobs/sha256/${root.digest.slice(7)}`);
}

function recordsOf(directory: string): number {
  const { config } = readManifest(directory);
  const path = join(directory, "blobs/sha256", config.digest.slice(7));
  return JSON.parse(readFileSync(path, "utf8")).records.length;
}

const docker = ["docker", "buildx", "version"];
const engine = needsRoot
  ? undefined
  : spawnSync("docker", ["buildx", "inspect"], { timeout: 20_000 });
if (engine?.status !== 0)
  console.warn(`cache-backends: ${docker.join(" ")} does not answer, BuildKit's caches not tried`);

describe.skipIf(engine?.status !== 0)("caches of BuildKit", { timeout: 300_000 }, () => {
  let world: World;
  let context: string;

  beforeAll(async () => {
    world = await openWorld();
    // Nothing that an earlier run has left in the engine's own cache.
    const stamp = `${Date.now()}`;
    const busybox = await world.kiln([
      "build",
      "-o",
      join(world.directory, "base"),
      world.context({ Dockerfile: "FROM busybox\n" }),
    ]);
    expect(busybox.status).toBe(0);
    context = world.context({ ...files, "data/stamp": stamp, Dockerfile: onScratch(stamp) });
    cpSync(join(world.directory, "base"), join(context, "base"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    // Counts as a part of the file, on both sides.
    loadSyscalls().lsetxattr(join(context, "data/stamp"), "user.kind", Uint8Array.of(1, 255));
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const buildKit = (args: readonly string[]) => {
    const all = ["buildx", "build", "--network=none", "--progress=plain", ...args, context];
    const { status, stderr } = spawnSync("docker", all, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    return stderr;
  };
  const kiln = async (args: readonly string[], machine: string) => {
    const env = { KILN_ROOT: join(world.directory, machine) };
    const outcome = await world.kiln(
      ["build", "--network=none", "--progress=plain", ...args, context],
      { env },
    );
    expect(outcome.status, outcome.stderr).toBe(0);
    return outcome.stderr;
  };

  test("are found by Kiln, every step of them", async () => {
    const cache = join(world.directory, "of-buildkit");
    buildKit(["--cache-to", `type=local,dest=${cache},mode=max`]);
    const stderr = await kiln(["--cache-from", `type=local,src=${cache}`], "reads-buildkit");
    expect(steps(stderr)).toEqual([]);
  });

  test("and Kiln's by BuildKit", async () => {
    writeFileSync(join(context, "data/stamp"), "another");
    const cache = join(world.directory, "of-kiln");
    await kiln(["--cache-to", `type=local,dest=${cache},mode=max`], "writes");
    const stderr = buildKit(["--cache-from", `type=local,src=${cache}`]);
    expect(steps(stderr)).toEqual([]);
  });

  test("hold no record that Kiln's lack, of the same build", async () => {
    const [one, two] = ["same-kiln", "same-buildkit"].map((name) => join(world.directory, name));
    await kiln(["--cache-to", `type=local,dest=${one},mode=max`], "same");
    buildKit(["--cache-to", `type=local,dest=${two},mode=max`]);
    // Which contents were looked at depends on who finished first: there may be more of them.
    expect(digestsOf(one ?? "")).toEqual(expect.arrayContaining([...digestsOf(two ?? "")]));
  });
});

function onScratch(stamp: string): string {
  const base = "FROM scratch AS base\nCOPY base /\n";
  return (
    base + dockerfile.replaceAll("FROM busybox", "FROM base").replace("tool ", `tool ${stamp} `)
  );
}

function digestsOf(directory: string): readonly string[] {
  const { config } = readManifest(directory);
  const path = join(directory, "blobs/sha256", config.digest.slice(7));
  const { records } = JSON.parse(readFileSync(path, "utf8"));
  return records.map(({ digest }: { digest: string }) => digest).sort();
}
