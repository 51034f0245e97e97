// What the conversion does beyond the recorded cases: settings of the caller, named contexts, URLs, errors and their places.
import { describe, expect, it } from "vitest";
import { isKilnError, type KilnError } from "../../../base/index.ts";
import {
  type ExecOp,
  type FileOp,
  http,
  type LlbVertex,
  type Op,
  readDefinition,
} from "../../llb/index.ts";
import {
  type ConvertIo,
  type ConvertOptions,
  convertDockerfile,
  type ImageQuestion,
} from "./index.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };
const digest = `sha256:${"c".repeat(64)}`;

interface Converted {
  readonly result: Awaited<ReturnType<typeof convertDockerfile>>;
  readonly vertices: readonly LlbVertex[];
  readonly asked: readonly (ImageQuestion & { readonly reference: string })[];
}

async function convert(
  text: string,
  options: Partial<ConvertOptions> = {},
  config: object = {},
): Promise<Converted> {
  const asked: (ImageQuestion & { readonly reference: string })[] = [];
  const io: ConvertIo = {
    resolveImage: async (reference, question) => {
      asked.push({ ...question, reference });
      const image = {
        ...question.platform,
        config,
        rootfs: { type: "layers", diff_ids: [digest] },
        history: [],
      };
      return { digest, config: new TextEncoder().encode(JSON.stringify(image)) };
    },
    ignorePatterns: async (name) => [`ignored-by-${name}`],
    sourceTime: async () => new Date("2024-05-06T07:08:09.500Z"),
  };
  let ids = 0;
  const result = await convertDockerfile(
    new TextEncoder().encode(text),
    { buildPlatforms: [amd64], newId: () => `id${++ids}`, ...options },
    io,
  );
  const vertices = result.definition ? readDefinition(result.definition).vertices : [];
  return { result, vertices, asked };
}

async function refused(text: string, options: Partial<ConvertOptions> = {}): Promise<KilnError> {
  try {
    await convert(text, options);
  } catch (error) {
    if (isKilnError(error)) return error;
    throw error;
  }
  throw new Error("accepted");
}

function opsOf<K extends Op["kind"]>(
  { vertices }: Converted,
  kind: K,
): readonly Extract<Op, { kind: K }>[] {
  return vertices.flatMap(({ op }) => (op.kind === kind ? [op as Extract<Op, { kind: K }>] : []));
}

const exec = (converted: Converted): ExecOp => opsOf(converted, "exec")[0]!;
const file = (converted: Converted): FileOp => opsOf(converted, "file")[0]!;
const names = ({ vertices }: Converted): readonly string[] => vertices.map(({ name }) => name);
const identifiers = (converted: Converted): readonly string[] =>
  opsOf(converted, "source").map(({ identifier }) => identifier);

describe("settings of the caller", () => {
  it("reach every process", async () => {
    const converted = await convert("FROM busybox\nRUN true", {
      extraHosts: [{ host: "db", ip: "10.0.0.1" }],
      ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
      shmSize: 4096,
      hostname: "builder",
      cgroupParent: "/kiln",
      networkMode: "none",
      cacheIdNamespace: "ns",
    });
    const { mounts, ...rest } = exec(converted);
    expect(rest).toMatchObject({
      extraHosts: [{ host: "db", ip: "10.0.0.1" }],
      ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
      hostname: "builder",
      cgroupParent: "/kiln",
      network: "none",
    });
    expect(mounts.at(-1)).toMatchObject({ target: "/dev/shm", type: "tmpfs", tmpfsSize: 4096 });
  });

  it("name the stages that are not taken from the cache", async () => {
    const text = "FROM busybox AS a\nRUN one\nFROM a AS b\nRUN two\nCOPY x /";
    const uncached = async (noCache: readonly string[]): Promise<readonly string[]> =>
      (await convert(text, { noCache })).vertices
        .filter(({ metadata }) => metadata.ignoreCache)
        .map(({ name }) => name.replace(/^\[.*?\] /, ""));
    expect(await uncached(["B"])).toEqual(["RUN two", "COPY x /"]);
    expect(await uncached([])).toEqual(["RUN one", "RUN two", "COPY x /"]);
    expect(await uncached(["0"])).toEqual(["RUN one"]);
    expect(await uncached(["2", "other", ""])).toEqual([]);
    expect((await convert(text)).result.ignoresCache).toBe(false);
    expect((await convert(text, { noCache: ["b"] })).result.ignoresCache).toBe(true);
  });

  it("leave out of the context what nothing uses, and what is ignored", async () => {
    const context = { ignorePatterns: ["*.md"], sessionId: "s", sharedKeyHint: "hint" };
    const converted = await convert("FROM scratch\nCOPY b a/ /\nCOPY b /c", { context });
    expect(opsOf(converted, "source")[0]?.attrs).toEqual({
      "local.excludepatterns": '["*.md"]',
      "local.followpaths": '["a","b"]',
      "local.session": "s",
      "local.sharedkeyhint": "hint",
    });
  });

  it("choose the stage by name in any case, or by number", async () => {
    const text = "FROM scratch AS one\nCOPY a /\nFROM scratch AS two\nCOPY b /";
    for (const target of ["ONE", "0"]) {
      expect(names(await convert(text, { target })).at(-1)).toBe("[one 1/1] COPY a /");
    }
    expect(await refused(text, { target: "tow" })).toMatchObject({ hint: 'Did you mean "two"?' });
  });

  it("ask for images of their platform, as eagerly as told", async () => {
    const { asked, result } = await convert("FROM busybox", {
      targetPlatform: arm64,
      imageResolveMode: "pull",
    });
    expect(asked).toEqual([
      {
        reference: "docker.io/library/busybox:latest",
        platform: arm64,
        mode: "pull",
        logName: "[internal] load metadata for docker.io/library/busybox:latest",
      },
    ]);
    expect(result.image.architecture).toBe("arm64");
  });
});

describe("platforms", () => {
  it("share the steps that are the same for all", async () => {
    const text =
      "FROM --platform=$BUILDPLATFORM golang AS b\nRUN go build\nFROM scratch\nCOPY --from=b /x /";
    const digests = async (targetPlatform: typeof amd64): Promise<readonly string[]> =>
      (await convert(text, { targetPlatform, multiPlatform: true })).vertices.map(
        (vertex) => vertex.digest,
      );
    expect(await digests(amd64)).toEqual(await digests(arm64));
  });

  it("show in the names of steps which is built on which", async () => {
    const text = "FROM --platform=$BUILDPLATFORM golang\nARG TARGETARCH\nRUN make";
    const converted = await convert(text, { targetPlatform: arm64, multiPlatform: true });
    expect(names(converted).at(-1)).toBe("[linux/amd64->arm64 2/2] RUN make");
  });
});

it("a base that is for another platform is warned of", async () => {
  const config = {
    os: "linux",
    architecture: "s390x",
    rootfs: { type: "layers", diff_ids: [digest] },
  };
  const { warnings } = await convertDockerfile(
    new TextEncoder().encode("FROM --platform=$TARGETPLATFORM busybox:1"),
    { buildPlatforms: [amd64], targetPlatform: arm64, newId: () => "id" },
    {
      resolveImage: async () => ({
        digest,
        config: new TextEncoder().encode(JSON.stringify(config)),
      }),
    },
  );
  expect(warnings.map(({ message }) => message)).toContain(
    'Base image busybox:1 was pulled with platform "linux/s390x", expected "linux/arm64" for current build',
  );
});

describe("named contexts", () => {
  it("take the place of images and of stages", async () => {
    const namedContexts = { busybox: "docker-image://alpine:3", deps: "local:vendor" };
    const text = "FROM busybox\nCOPY --from=deps /lib /lib\nFROM deps AS deps";
    const converted = await convert(text, { namedContexts, target: "0" });
    expect(identifiers(converted)).toEqual([
      "docker-image://docker.io/library/alpine:3",
      "local://vendor",
    ]);
    expect(opsOf(converted, "source")[1]?.attrs).toMatchObject({
      "local.sharedkeyhint": "context:deps",
      "local.followpaths": '["lib"]',
      "local.excludepatterns": '["ignored-by-vendor"]',
    });
  });

  it("may be for one platform", async () => {
    const namedContexts = {
      "busybox::linux/arm64": "docker-image://alpine:3",
      busybox: "docker-image://alpine:2",
    };
    const base = async (targetPlatform: typeof amd64): Promise<string | undefined> =>
      identifiers(await convert("FROM busybox", { namedContexts, targetPlatform }))[0]?.replace(
        /@.*/,
        "",
      );
    expect(await base(arm64)).toBe("docker-image://docker.io/library/alpine:3");
    expect(await base(amd64)).toBe("docker-image://docker.io/library/alpine:2");
  });

  it("may be repositories, files behind URLs and layouts", async () => {
    const from = async (value: string): Promise<readonly string[]> =>
      identifiers(
        await convert("FROM scratch\nCOPY --from=x / /", { namedContexts: { x: value } }),
      );
    expect(await from("https://github.com/o/r.git#main:sub")).toEqual([
      "git://github.com/o/r.git#main:sub",
    ]);
    expect(await from("https://example.com/x.tar")).toEqual(["https://example.com/x.tar"]);
    expect(await from(`oci-layout://store@${digest}`)).toEqual([
      `oci-layout://docker.io/library/x@${digest}`,
    ]);
    expect(await from("docker-image://scratch")).toEqual([]);
    expect(await refused("FROM x", { namedContexts: { x: "ftp://y" } })).toMatchObject({
      code: "DOCKERFILE_INVALID",
    });
  });
});

describe("ADD", () => {
  it("of a URL is a file with the URL's last name, not unpacked unless told", async () => {
    const checksum = `sha256:${"0".repeat(64)}`;
    const converted = await convert(
      `FROM scratch\nADD --checksum=${checksum} https://x.org/a/b%20c.tar?d=/e /out/`,
    );
    expect(opsOf(converted, "source")[0]).toMatchObject({
      identifier: "https://x.org/a/b%20c.tar?d=/e",
      attrs: { "http.filename": "b c.tar", "http.checksum": checksum },
    });
    expect(file(converted).actions[0]?.action).toMatchObject({
      src: "/b c.tar",
      dest: "/out/",
      attemptUnpack: false,
    });
    const unpacked = await convert("FROM scratch\nADD --unpack https://x.org/a.tar /");
    expect(file(unpacked).actions[0]?.action).toMatchObject({ attemptUnpack: true });
  });

  it("of a repository over ssh asks for an agent", async () => {
    const converted = await convert("FROM scratch\nADD git@github.com:o/r.git#v1 /src");
    expect(opsOf(converted, "source")[0]).toMatchObject({
      identifier: "git://github.com/o/r.git#v1",
      attrs: { "git.mountsshsock": "default", "git.fullurl": "git@github.com:o/r.git" },
    });
  });

  it("must agree with what the address says", async () => {
    const error = await refused(
      "FROM scratch\nADD --keep-git-dir=false https://x.org/r.git?keep-git-dir=true /",
    );
    expect(error.message).toContain("inconsistent keep-git-dir");
  });
});

describe("SOURCE_DATE_EPOCH", () => {
  it("may be told by the build context", async () => {
    const { result } = await convert("FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL a=b", {
      buildArgs: { SOURCE_DATE_EPOCH: "context" },
      context: { state: http("https://x.org/context.tar") },
    });
    expect(result.epoch?.toISOString()).toBe("2024-05-06T07:08:09.500Z");
    expect(result.image.history?.map(({ created, created_by }) => [created, created_by])).toEqual([
      ["2024-05-06T07:08:09Z", "ARG SOURCE_DATE_EPOCH=1714979289"],
      ["2024-05-06T07:08:09Z", "LABEL a=b"],
    ]);
  });

  it("is not told by a directory, of which only what is used is asked for", async () => {
    const converted = await convert("FROM scratch\nCOPY a /", {
      buildArgs: { SOURCE_DATE_EPOCH: "context" },
    });
    expect(converted.result.epoch).toBeUndefined();
    expect(opsOf(converted, "source")[0]?.attrs).toMatchObject({ "local.followpaths": '["a"]' });
  });

  it("may be told by a stage that only adds something", async () => {
    const stage = "FROM scratch AS when\nADD https://x.org/a.tar /\n";
    const options = { buildArgs: { SOURCE_DATE_EPOCH: "when" } };
    expect((await convert(`${stage}FROM scratch`, options)).result.epoch).toBeDefined();
    expect(await refused(`${stage}RUN true\nFROM scratch`, options)).toMatchObject({
      at: { line: 1 },
    });
  });
});

describe("a mistake", () => {
  it("is told with its place and what to do", async () => {
    const error = await refused("FROM scratch\n\nRUN --mount=type=tmp,target=/x \\\n  true");
    expect(error).toMatchObject({ hint: expect.any(String), at: { file: "Dockerfile", line: 3 } });
  });

  it("does not hide the others of the file", async () => {
    const error = await refused("FROM scratch\nRUNN x\nCOPPY a b\nLABEL\n");
    expect([error, ...error.others].map(({ at }) => at?.line)).toEqual([2, 3, 4]);
  });

  it("in a stage that nobody needs is one only where names are concerned", async () => {
    await convert("FROM busybox AS unused\nSTOPSIGNAL nonsense\nFROM scratch");
    expect(await refused("FROM Busybox:x:y AS unused\nFROM scratch")).toMatchObject({
      at: { line: 1 },
    });
  });

  it("of reading from a later stage names both", async () => {
    const text =
      "FROM scratch AS a\nRUN --mount=from=b,target=/x true\nFROM scratch AS b\nCOPY x /\nFROM a";
    const error = await refused(text);
    expect(error.message).toContain('cannot mount from stage "b"');
    expect(error.at?.line).toBe(2);
  });

  it("of nothing to run is told where the step is needed", async () => {
    expect(await refused("FROM scratch\nRUN []")).toMatchObject({
      message: expect.stringContaining("no arguments"),
      at: { line: 2 },
    });
    await convert("FROM scratch AS a\nRUN []\nFROM scratch\nWORKDIR /x");
  });

  it("is a warning too many, where the file asks for that", async () => {
    expect(await refused("# check=error=true\nFROM scratch\nmaintainer me")).toMatchObject({
      message: expect.stringContaining("build checks failed"),
    });
  });
});

describe("what .dockerignore drops", () => {
  const warned = async (patterns: readonly string[], copy: string): Promise<readonly string[]> => {
    const context = { ignorePatterns: patterns };
    return (await convert(`FROM scratch\n${copy}`, { context })).result.warnings.map(
      ({ message }) => message,
    );
  };

  it("is warned of when it is copied", async () => {
    const message = 'Attempting to Copy file "dist/x" that is excluded by .dockerignore';
    expect(await warned(["dist"], "COPY ./dist/x /")).toEqual([message]);
    expect(await warned(["dist"], "COPY src /")).toEqual([]);
    expect(await warned(["dist", "!dist/x"], "COPY dist/x /")).toEqual([]);
    expect(await warned(["a"], "COPY . /")).toEqual([]);
    expect((await warned(["**"], "ADD . /"))[0]).toContain("Attempting to Add");
  });
});

it("an image that many stages stand on is asked for once", async () => {
  const text =
    "FROM busybox AS a\nFROM busybox AS b\nCOPY --from=a / /\nCOPY --from=busybox / /\nFROM b";
  expect((await convert(text)).asked).toHaveLength(1);
});

describe("what a base image says", () => {
  it("of its directory is absolute in the end", async () => {
    const { result } = await convert("FROM base\nRUN x", {}, { WorkingDir: "a" });
    expect(result.image.config?.WorkingDir).toBe("/a/a");
  });

  it("of its user is gone where USER says nothing", async () => {
    const { result } = await convert("FROM base\nUSER $NONE", {}, { User: "me" });
    expect(result.image.config).not.toHaveProperty("User");
  });
});

it("of names that are as near, the one that was set first is suggested", async () => {
  const text = "FROM scratch\nENV XA=1\nENV XB=2\nENV XC=3\nENV XA=4\nCOPY $XD /";
  const { result } = await convert(text);
  expect(result.warnings.map(({ message }) => message)).toEqual([
    "Usage of undefined variable '$XD' (did you mean $XB?)",
  ]);
});

it("an image that a mount reads from has a place without lines", async () => {
  const { result } = await convert("FROM a\nRUN --mount=from=b,target=/b x\nCOPY --from=c x /");
  const places = [...(result.definition?.locations ?? [])].map(([, found]) =>
    found.map(({ ranges }) => ranges.map(({ start }) => start.line)),
  );
  expect(places).toEqual([[[1]], [[]], [[2]], [[3]], [[3]]]);
});

it("symbolic permissions stand in words alone", async () => {
  const { vertices } = await convert("FROM scratch\nCOPY --chmod=u+x a /\nCOPY a /");
  const modes = vertices.flatMap(({ op }) =>
    op.kind === "file"
      ? op.actions.map(({ action }) => action.kind === "copy" && [action.mode, action.modeStr])
      : [],
  );
  expect(modes).toEqual([
    [0, "u+x"],
    [undefined, undefined],
  ]);
});

it("processes are for the platform in its usual form", async () => {
  const { vertices } = await convert("FROM --platform=linux/arm a\nRUN x", {
    buildPlatforms: [amd64, { os: "linux", architecture: "arm", variant: "v7" }],
  });
  expect(vertices.map(({ platform }) => platform?.variant)).toEqual([undefined, "v7"]);
});

it("what the checks found is said also where they are what fails, once for each use", async () => {
  const said: string[] = [];
  const io: ConvertIo = {
    resolveImage: () => Promise.reject(new Error("nothing is looked up")),
    warn: ({ rule }) => void said.push(rule),
  };
  const text = "# check=error=true\nFROM scratch\nENV A=$NO B=$NO\nMAINTAINER me\n";
  const options = { buildPlatforms: [amd64], newId: () => "id" };
  const failing = convertDockerfile(new TextEncoder().encode(text), options, io);
  await expect(failing).rejects.toThrow("build checks failed");
  expect(said.sort()).toEqual(["MaintainerDeprecated", "UndefinedVar", "UndefinedVar"]);
});
