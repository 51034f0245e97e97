// The commands of the articles that Kiln comes from, run as they are written there. Registries have other addresses here.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { startRegistry, type TestRegistry } from "../kit/registry.ts";
import { type ArticleShell, openArticleShell } from "./article-shell.ts";
import { openWorld, threePlatforms, type World } from "./world.ts";

const needs = ["root", "runtime", "registry", "bundle", "emulation"] as const;
const examples = resolve(import.meta.dirname, "../../examples");

/** Platforms of an index as `imagetools inspect` prints them. */
function platformsOf(text: string): readonly string[] {
  return [...text.matchAll(/Platform: +(\S+)/g)].map(([, platform]) => platform ?? "");
}

/** buildx makes provenance unasked, and so does Kiln in its place: an entry for each image. */
function attested(images: number): readonly string[] {
  return Array.from({ length: images }, () => "unknown/unknown");
}

/** `alpine` stands for itself with an apk that has nothing to fetch and a gcc that makes a script. */
const alpine = {
  Dockerfile:
    "FROM busybox\nCOPY apk /sbin/apk\nCOPY gcc /usr/bin/gcc\nRUN chmod 755 /sbin/apk /usr/bin/gcc\n",
  apk: "#!/bin/sh\necho OK\n",
  gcc: `#!/bin/sh
arch=\${1#-DARCH=}
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho Hello, my architecture is %s\\n' "$arch" >"$2"
chmod 755 "$2"
`,
};

let world: World;
beforeAll(async () => {
  world = await openWorld();
  const built = await world.kiln([
    "build",
    "--platform",
    threePlatforms,
    "-t",
    `${world.registry.address}/library/alpine:latest`,
    "--push",
    world.context(alpine),
  ]);
  if (built.status !== 0) throw new Error(built.stderr);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** Kiln as docker's buildx, put there with the article's own commands. */
async function installPlugin(shell: ArticleShell): Promise<void> {
  await shell.typed(`ln -s ${shell.bin}/kiln buildx`);
  await shell.typed("mkdir -p ~/.docker/cli-plugins");
  await shell.typed("mv buildx ~/.docker/cli-plugins/docker-buildx");
  await shell.typed("chmod a+x ~/.docker/cli-plugins/docker-buildx");
}

describeWith(needs, "the article on GitLab: one build for two registries", () => {
  let gitlab: TestRegistry;
  let hub: TestRegistry;
  beforeAll(async () => {
    const auth = { kind: "basic", username: "runner", password: "token" } as const;
    gitlab = await startRegistry({ auth });
    hub = await startRegistry({ auth: { ...auth, username: "me", password: "secret" } });
  });
  afterAll(async () => {
    await gitlab[Symbol.asyncDispose]();
    await hub[Symbol.asyncDispose]();
  });

  it("logs in to both and pushes one name to each", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nRUN uname -m > /machine\n" });
    using shell = openArticleShell(world, context);
    await installPlugin(shell);
    shell.names.set("docker.io", hub.host);
    await shell.typed(`export CI_REGISTRY=${gitlab.host} CI_REGISTRY_IMAGE=${gitlab.host}/me/app`);
    await shell.typed("export CI_REGISTRY_USER=runner CI_REGISTRY_PASSWORD=token");
    await shell.typed("export DOCKER_USERNAME=me DOCKER_PASSWORD=secret");
    const before = await shell.type(
      "docker buildx build -t $CI_REGISTRY_IMAGE:latest -t docker.io/$DOCKER_USERNAME/app:latest --push .",
    );
    expect(before.status).toBe(1);
    expect(before.stderr).toMatch(/login|unauthorized|credentials/i);
    await shell.typed(
      'docker login -u "$CI_REGISTRY_USER" -p "$CI_REGISTRY_PASSWORD" "$CI_REGISTRY"',
    );
    await shell.typed(
      'echo "$DOCKER_PASSWORD" | docker login docker.io -u "$DOCKER_USERNAME" --password-stdin',
    );
    await shell.typed(
      "docker buildx build --platform linux/amd64,linux/arm64 -t $CI_REGISTRY_IMAGE:latest -t docker.io/$DOCKER_USERNAME/app:latest --push .",
    );
    const [one, two] = await Promise.all(
      [`${gitlab.host}/me/app`, `${hub.host}/me/app`].map((name) =>
        shell.typed(`docker buildx imagetools inspect ${name}:latest`),
      ),
    );
    const digest = (text = "") => /^Digest: +(\S+)/m.exec(text)?.[1];
    expect(digest(one?.stdout)).toMatch(/^sha256:/);
    expect(digest(two?.stdout)).toBe(digest(one?.stdout));
  });
});

describeWith(needs, "the article on buildx: a named builder, three platforms, one name", () => {
  let git: ChildProcess | undefined;
  afterAll(() => void git?.kill());

  async function serveRepository(): Promise<string> {
    const base = join(world.directory, "git");
    const work = join(base, "docker/buildx");
    mkdirSync(work, { recursive: true });
    writeFileSync(join(work, "Dockerfile"), "FROM scratch\nCOPY tool /buildx\n");
    writeFileSync(join(work, "tool"), "the tool\n");
    const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" };
    const run = (...args: string[]) => spawnSync("git", ["-C", work, ...args], { env });
    run("init", "-q", "-b", "master");
    run("add", ".");
    run("-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-q", "-m", "first");
    const port = await freePort();
    git = spawn(
      "git",
      ["daemon", "--export-all", "--listen=127.0.0.1", `--port=${port}`, `--base-path=${base}`],
      { stdio: "ignore" },
    );
    await sleep(500);
    return `127.0.0.1:${port}`;
  }

  it("builds for one platform, runs it, and takes files out of a repository", async () => {
    const context = world.context({ Dockerfile: "FROM busybox\nCMD echo I am here\n" });
    using shell = openArticleShell(world, context);
    await installPlugin(shell);
    await shell.typed("export DOCKER_BUILDKIT=1");
    await shell.typed("docker build -t sianrachel/test .");
    expect((await shell.typed("docker run sianrachel/test")).stdout).toBe("I am here\n");
    shell.names.set("github.com", await serveRepository());
    await shell.typed("mkdir out && cd out");
    await shell.typed("docker build --platform=local -o . git://github.com/docker/buildx");
    expect(readFileSync(join(context, "out/buildx"), "utf8")).toBe("the tool\n");
  });

  const engine = existsSync("/var/run/docker.sock");
  if (engine) console.warn("skipped: dockerbuilder: its image is not here, but a docker engine is");
  it.skipIf(engine)(
    "creates dockerbuilder, shows it, uses it, pushes three platforms, looks at them",
    async () => {
      const context = join(world.directory, "sianrelease");
      cpSync(join(examples, "hello"), context, { recursive: true });
      using shell = openArticleShell(world, context);
      await installPlugin(shell);
      shell.names.set("sianrachel/", `${world.registry.address}/sianrachel/`);
      const created = await shell.typed(
        "docker buildx create --driver docker-container --name dockerbuilder",
      );
      expect(created.stdout).toBe("dockerbuilder\n");
      // Without a docker engine the builder is in the process that builds, and that is said.
      expect(created.stderr).toContain("kiln create --driver embedded");
      expect((await shell.typed("docker buildx ls")).stdout).toMatch(/^dockerbuilder /m);
      await shell.typed("docker buildx use dockerbuilder");
      expect((await shell.typed("docker buildx ls")).stdout).toMatch(/^dockerbuilder\* /m);
      const shown = (await shell.typed("docker buildx inspect --bootstrap")).stdout;
      expect(shown).toMatch(/^Name: +dockerbuilder$/m);
      for (const platform of threePlatforms.split(",")) expect(shown).toContain(platform);
      await shell.typed(
        "docker buildx build --platform linux/amd64,linux/arm64,linux/arm/v7 -t sianrachel/sianrelease:multiarc . --push",
      );
      const { stdout } = await shell.typed(
        "docker buildx imagetools inspect sianrachel/sianrelease:multiarc",
      );
      expect(stdout).toMatch(/^MediaType: +application\/vnd\.oci\.image\.index\.v1\+json$/m);
      expect(platformsOf(stdout)).toEqual([...threePlatforms.split(","), ...attested(3)]);
    },
  );
});

describeWith(needs, "buildx from scratch: a program compiled for two processors", () => {
  const dockerfile = (compiler: string) => `FROM alpine AS builder
RUN apk add build-base
WORKDIR /home
COPY hello.c .
RUN ${compiler} "-DARCH=\\"\`uname -m\`\\"" hello.c -o hello
FROM alpine
WORKDIR /home
COPY --from=builder /home/hello .
ENTRYPOINT ["./hello"]
`;

  it("names the mistyped compiler with its line, and builds once it is right", async () => {
    const context = world.context({ Dockerfile: dockerfile("gss"), "hello.c": "int main;\n" });
    using shell = openArticleShell(world, context);
    await installPlugin(shell);
    shell.names.set("m5p3nc3r/", `${world.registry.address}/m5p3nc3r/`);
    const created = await shell.typed("docker buildx create builder");
    expect([created.stdout, created.stderr]).toEqual([
      "builder\n",
      expect.stringContaining("create --name builder"),
    ]);
    await shell.typed("docker buildx use builder");
    expect((await shell.typed("docker buildx inspect --bootstrap")).stdout).toMatch(
      /^Name: +builder\n/,
    );
    const line =
      "docker buildx build --platform linux/amd64,linux/arm64 -t m5p3nc3r/hello . --push";
    const failed = await shell.type(line);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("gss: not found");
    expect(failed.stderr).toContain("Dockerfile:5");
    writeFileSync(join(context, "Dockerfile"), dockerfile("gcc"));
    await shell.typed(line);
    const { stdout } = await shell.typed("docker buildx imagetools inspect m5p3nc3r/hello");
    expect(platformsOf(stdout)).toEqual(["linux/amd64", "linux/arm64", ...attested(2)]);
    const entries = [...stdout.matchAll(/@(sha256:[0-9a-f]{64})/g)].map(([, digest]) => digest);
    const digests = entries.slice(0, 2);
    const spoken: string[] = [];
    for (const digest of digests) {
      const ran = await shell.typed(`docker run m5p3nc3r/hello:latest@${digest}`);
      spoken.push(ran.stdout);
    }
    expect(spoken).toEqual([expect.stringContaining("x86_64"), expect.stringContaining("aarch64")]);
  });
});

describeWith(needs, "the GitLab job with a cache in the registry", () => {
  const line =
    "docker buildx build --push --pull -t $CI_REGISTRY/$IMAGE_NAME:latest --cache-from $CI_REGISTRY/$CACHE_IMAGE:latest --cache-to $CI_REGISTRY/$CACHE_IMAGE:latest --file $DOCKER_FILE --platform linux/arm64 .";

  it("begins without a cache, and a second job on a new machine has it all", async () => {
    const context = world.context({
      "Dockerfile.app": "FROM busybox\nRUN uname -m > /machine\nRUN wc -c /machine > /size\n",
    });
    for (const job of ["first", "second"]) {
      using shell = openArticleShell(world, context);
      await installPlugin(shell);
      await shell.typed(
        `export CI_REGISTRY=${world.registry.address} KILN_ROOT=${world.root}-${job}`,
      );
      await shell.typed("export IMAGE_NAME=bibliogram CACHE_IMAGE=bibliogram-cache");
      await shell.typed("export DOCKER_FILE=Dockerfile.app");
      const { stderr } = await shell.typed(line);
      const cached = [...stderr.matchAll(/^#\d+ CACHED$/gm)].length;
      if (job === "first") expect(cached).toBe(0);
      else expect(cached).toBeGreaterThanOrEqual(2);
    }
    const { stdout } = await world.kiln([
      "imagetools",
      "inspect",
      `${world.registry.address}/bibliogram:latest`,
      "--format",
      "{{.Image.Architecture}}",
    ]);
    expect(stdout.trim()).toBe("arm64");
  });
});

describeWith(needs, "the article on Travis: buildkitd on TCP and buildctl as it was", () => {
  it("builds an image a platform, and joins them under one name", async () => {
    const context = world.context({
      "Dockerfile.armhf": "FROM busybox\nRUN uname -m > /machine\n",
      "Dockerfile.amd64": "FROM busybox\nRUN uname -m > /machine\n",
    });
    using shell = openArticleShell(world, context);
    const port = await freePort();
    shell.names.set("1234", String(port));
    shell.names.set("docker.io", world.registry.address);
    await shell.typed(
      "sudo docker run -d --privileged -p 1234:1234 --name buildkit moby/buildkit:latest --addr tcp://0.0.0.0:1234 --oci-worker-platform linux/amd64 --oci-worker-platform linux/armhf",
    );
    await shell.typed("sudo docker cp buildkit:/usr/bin/buildctl /usr/bin/");
    expect(existsSync(join(shell.bin, "buildctl"))).toBe(true);
    await shell.typed("export BUILDKIT_HOST=tcp://0.0.0.0:1234");
    const workers = await shell.typed("buildctl --wait --timeout 20 debug workers");
    expect(workers.stdout).toContain("linux/amd64,linux/arm/v7");
    await shell.typed("export DOCKER_USER=me DOCKER_IMAGE=app DOCKER_TAG=latest");
    const legacy = (image: string, tag: string) =>
      `buildctl build --frontend dockerfile.v0 --frontend-opt platform=linux/\${PLATFORM} --frontend-opt filename=./\${DOCKERFILE_LOCATION} --exporter image --exporter-opt name=docker.io/\${DOCKER_USER}/\${${image}}:\${${tag}}-\${PLATFORM} --exporter-opt push=true --local dockerfile=. --local context=.`;
    await shell.typed('export PLATFORM=arm DOCKERFILE_LOCATION="./Dockerfile.armhf"');
    // The article sets DOCKER_IMAGE and DOCKER_TAG, and uses other names.
    const asWritten = await shell.type(legacy("IMAGE", "TAG"));
    expect(asWritten.status).toBe(1);
    expect(asWritten.stderr).toContain("a part of it is empty");
    const built = await shell.typed(legacy("DOCKER_IMAGE", "DOCKER_TAG"));
    for (const [old, today] of [
      ["--frontend-opt", "--opt"],
      ["--exporter", "--output type="],
      ["--exporter-opt", "--output type="],
    ])
      expect(built.stderr).toMatch(new RegExp(`${old} is deprecated: use ${today}`));
    await shell.typed('export PLATFORM=amd64 DOCKERFILE_LOCATION="./Dockerfile.amd64"');
    await shell.typed(legacy("DOCKER_IMAGE", "DOCKER_TAG"));

    await shell.typed("export DOCKER_CLI_EXPERIMENTAL=enabled T=docker.io/me/app:latest");
    await shell.typed("docker manifest create $T $T-amd64 $T-arm");
    await shell.typed("docker manifest annotate $T $T-arm --os=linux --arch=arm --variant=v7");
    await shell.typed("docker manifest push $T");
    const { stdout } = await shell.typed("kiln imagetools inspect $T");
    expect(platformsOf(stdout)).toEqual(["linux/amd64", "linux/arm/v7"]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address ? address.port : 0;
}
