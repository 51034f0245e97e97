import { describe, expect, test } from "vitest";
import { hostPlatform, parsePlatform } from "../../../formats/oci/index.ts";
import { root } from "../index.ts";
import { complete } from "../plugin/complete.ts";
import { readPluginStart } from "../plugin/plugin-mode.ts";
import { splitWords } from "../shell-split.ts";
import { type BuilderView, platformNames, shortPlatforms } from "./builder-views.ts";
import { inspectText } from "./inspect-text.ts";
import { formatted } from "./ls.ts";

const platforms = (text: string) =>
  text.split(",").map((one) => parsePlatform(one, hostPlatform("x64")));
const unasked = { ids: [], platforms: [], labels: {}, gcPolicy: [], devices: [] } as const;

const view: BuilderView = {
  name: "b1",
  driver: "remote",
  current: true,
  dynamic: false,
  lastActivity: new Date("2026-01-02T03:04:05Z"),
  nodes: [
    {
      record: {
        name: "b10",
        endpoint: "unix:///a.sock",
        platforms: platforms("linux/arm64"),
        driverOpts: { "default-load": "true" },
        flags: [],
        files: { "buildkitd.toml": new TextEncoder().encode("debug = true\n") },
      },
      info: {
        ...unasked,
        status: "running",
        version: "v0.27.0",
        ids: ["id"],
        platforms: platforms("linux/amd64,linux/arm64"),
        labels: { b: "2", "a.long": "1" },
        gcPolicy: [
          {
            all: true,
            filter: ["type==regular"],
            keepDuration: 172_800e9,
            reservedSpace: 26_000_000_000,
            maxUsedSpace: 0,
            minFreeSpace: 0,
          },
        ],
      },
    },
    {
      record: {
        name: "b11",
        endpoint: "tcp://h:1",
        platforms: [],
        driverOpts: {},
        flags: [],
        files: {},
      },
      info: { ...unasked, status: "error", error: "no" },
    },
  ],
};
const broken: BuilderView = {
  name: "k",
  driver: "foo",
  current: false,
  dynamic: false,
  error: 'failed to find driver "foo"',
  nodes: [],
};

describe("the list of builders", () => {
  test("has the whole builder in every row that is JSON", () => {
    const lines = formatted([view], "{{json .}}", false).trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines.map((line) => JSON.parse(line).Name)).toEqual(["b1", "b1", "b1"]);
  });

  test("is the table that buildx prints", () => {
    expect(formatted([view, broken], "table", false)).toBe(
      [
        "NAME/NODE   DRIVER/ENDPOINT      STATUS    BUILDKIT   PLATFORMS",
        "b1*         remote                                    ",
        " \\_ b10      \\_ unix:///a.sock   running   v0.27.0    linux/amd64, linux/arm64*",
        " \\_ b11      \\_ tcp://h:1        error                ",
        "k           foo                  error                ",
        "",
      ].join("\n"),
    );
  });

  test("as JSON has one document a builder, with the members that buildx prints", () => {
    const [first = "", second = ""] = formatted([view, broken], "json", false).split("\n");
    expect(JSON.parse(first)).toMatchObject({
      Current: true,
      Driver: "remote",
      LastActivity: "2026-01-02T03:04:05Z",
      Nodes: [
        {
          DriverOpts: { "default-load": "true" },
          IDs: ["id"],
          Platforms: ["linux/arm64", "linux/amd64"],
          Status: "running",
          Version: "v0.27.0",
        },
        { Err: "no", Status: "error" },
      ],
    });
    expect(JSON.parse(second)).toEqual({
      Current: false,
      Driver: "foo",
      Dynamic: false,
      Err: 'failed to find driver "foo"',
      LastActivity: "0001-01-01T00:00:00Z",
      Name: "k",
      Nodes: [],
    });
  });

  test("takes templates, with a row for each builder and node", () => {
    expect(formatted([view], "{{.Name}}|{{.DriverEndpoint}}|{{.Status}}|{{.Error}}", false)).toBe(
      "b1|remote||\nb10|unix:///a.sock|running|\nb11|tcp://h:1|error|no\n",
    );
  });
});

test("a builder's page has the lines of buildx", () => {
  expect(inspectText(view)).toBe(
    [
      "Name:          b1",
      "Driver:        remote",
      "Last Activity: 2026-01-02 03:04:05 +0000 UTC",
      "",
      "Nodes:",
      "Name:             b10",
      "Endpoint:         unix:///a.sock",
      'Driver Options:   default-load="true"',
      "Status:           running",
      "BuildKit version: v0.27.0",
      "Platforms:        linux/arm64*, linux/amd64",
      "Labels:",
      " a.long: 1",
      " b:      2",
      "GC Policy rule#0:",
      " All:            true",
      " Filters:        type==regular",
      " Keep Duration:  48h0m0s",
      " Reserved Space: 24.21GiB",
      "File#buildkitd.toml:",
      " > debug = true",
      " > ",
      "",
      "Name:     b11",
      "Endpoint: tcp://h:1",
      "Error:    no",
      "",
    ].join("\n"),
  );
});

describe("platforms in a table", () => {
  const short = (pinned: string, offered = "") =>
    shortPlatforms(
      platformNames(pinned ? platforms(pinned) : [], offered ? platforms(offered) : []),
    );
  test.each([
    ["linux/arm64,linux/amd64", "", "linux/amd64*, linux/arm64*"],
    [
      "linux/arm64,linux/amd64,linux/riscv64,linux/s390x,linux/386",
      "",
      "linux/amd64*, linux/arm64*, linux/s390x*, linux/riscv64*, (1 more)",
    ],
    [
      "linux/arm/v5,linux/arm/v6,linux/arm/v7,linux/mips64le",
      "",
      "linux/arm* (+3), linux/mips64le*",
    ],
    [
      "linux/mips64le,linux/386,windows/amd64,freebsd/amd64,darwin/arm64,wasip1/wasm",
      "",
      "darwin/arm64*, freebsd/amd64*, linux/386*, linux/mips64le*, (2 more)",
    ],
    [
      "",
      "linux/amd64,linux/amd64/v2,linux/arm64,linux/arm/v7,linux/arm/v6,linux/ppc64le,linux/ppc64",
      "linux/amd64 (+2), linux/arm64, linux/arm (+2), linux/ppc64le, (1 more)",
    ],
  ])("%s %s", (pinned, offered, text) => {
    expect(short(pinned, offered)).toBe(text);
  });
});

test("a daemon's flags are split as a shell would", () => {
  expect(splitWords(`--a=1 --b "c d" 'e "f' g\\ h ""`)).toEqual([
    "--a=1",
    "--b",
    "c d",
    'e "f',
    "g h",
    "",
  ]);
  expect(splitWords('"unclosed')).toBeUndefined();
});

describe("called by docker", () => {
  test("its global flags become its variables, and the plugin's name goes", () => {
    const start = readPluginStart(
      ["--context", "far", "-D", "--config=/c", "buildx", "ls", "--format", "json"],
      { KILN_PLUGIN: "buildx", DOCKER_HOST: "unix:///x" },
    );
    expect(start.argv).toEqual(["-D", "ls", "--format", "json"]);
    expect(start.env).toMatchObject({
      DOCKER_CONTEXT: "far",
      DOCKER_CONFIG: "/c",
      DOCKER_HOST: undefined,
    });
  });

  test("otherwise nothing is touched", () => {
    const argv = ["--config", "kiln.toml", "build"];
    expect(readPluginStart(argv, {})).toEqual({ argv, env: {}, byDocker: false });
  });
});

describe("completion", () => {
  const ask = async (...words: string[]) => {
    let out = "";
    const world = {
      env: { HOME: "/nowhere", DOCKER_CONFIG: "/nowhere", BUILDX_CONFIG: "/nowhere" },
      cwd: "/",
      stdout: { write: (text: string) => (out += text) },
      stderr: { write() {} },
    };
    await complete(words, root, true, world as never);
    return out.trimEnd().split("\n");
  };

  test("knows commands, flags and builders", async () => {
    expect(await ask("image")).toEqual([
      "image\tWork with images of the local store",
      "imagetools\tWork with images in registries",
      ":4",
    ]);
    expect(await ask("ls", "--no")).toEqual(["--no-trunc\tDon't truncate output", ":4"]);
    expect(await ask("use", "")).toContain("embedded");
    expect(await ask("--builder", "emb")).toEqual(["embedded", ":4"]);
  });

  test("leaves files to the shell", async () => {
    expect(await ask("build", "")).toEqual([":0"]);
    expect(await ask("build", "-f", "")).toEqual([":0"]);
  });
});
