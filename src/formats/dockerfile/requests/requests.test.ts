// Answers about a file for people, and as JSON.
import { expect, it } from "vitest";
import type { ConvertIo, ConvertOptions } from "../convert/index.ts";
import {
  describeJson,
  describeText,
  dumpDockerfile,
  lintDockerfile,
  listTargets,
  outlineDockerfile,
  outlineText,
  targetsText,
} from "./index.ts";

const options: ConvertOptions = {
  buildPlatforms: [{ os: "linux", architecture: "amd64" }],
  newId: () => "id",
};
const io: ConvertIo = {
  resolveImage: async () => ({
    config: new TextEncoder().encode(
      JSON.stringify({
        os: "linux",
        architecture: "amd64",
        rootfs: { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] },
      }),
    ),
  }),
};
const text = `# VERSION of the product
ARG VERSION=1
# app is what users run
FROM busybox:\${VERSION} AS app
ARG LEVEL
RUN --mount=type=secret,id=token,required=true --mount=type=ssh true
FROM scratch
`;
const data = new TextEncoder().encode(text);

it("an outline tells what a target can be given", async () => {
  const outline = await outlineDockerfile(data, { ...options, target: "app" }, io);
  expect(outlineText(outline)).toBe(`TARGET:      app
DESCRIPTION: is what users run

BUILD ARG   VALUE   DESCRIPTION
VERSION     1       of the product
LEVEL               ${""}

SECRET   REQUIRED
token    true

SSH       REQUIRED
default   ${""}

`);
});

it("a target list tells which stages there are", () => {
  expect(targetsText(listTargets(data))).toBe(`TARGET    DESCRIPTION
app       is what users run
(default) ${""}
`);
});

it("a check places what the file cannot be built for at the whole of the first mistake", async () => {
  const placed = async (file: string) =>
    (await lintDockerfile(new TextEncoder().encode(file), options, io)).result.buildError?.location;
  const lines = (...numbers: readonly number[]) => ({
    ranges: numbers.map((line) => ({ start: { line }, end: { line } })),
  });
  expect(await placed("FROM scratch\nCOPY --x a /\nCOPY --x a /\n")).toEqual(lines(2));
  expect(await placed("FROM scratch\nRUN --network=x \\\n  true\n")).toEqual(lines(2, 3));
  expect(await placed("COPY <<E /x\nE\n")).toEqual(lines(1, 2));
  const a = "FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nCOPY --from=a x /\n";
  expect(await placed(a)).toEqual(lines(2, 4));
});

it("a check tells that it was asked for in words that it does not know", async () => {
  const file = new TextEncoder().encode("# check=skip=all; error=true\nFROM scratch\n");
  const { result, failed } = await lintDockerfile(file, options, io);
  expect(result.buildError?.message).toContain("invalid check option");
  expect(failed).toBe(true);
});

it("an outline has arguments of one line in their order", async () => {
  const file = new TextEncoder().encode("FROM scratch\nARG C=1 B=2 A=3\n");
  const { args = [] } = await outlineDockerfile(file, options, io);
  expect(args.map(({ name }) => name)).toEqual(["C", "B", "A"]);
});

it("a check, and an outline, fail where the file wants warnings to be errors", async () => {
  const file = new TextEncoder().encode("# check=error=true\nFROM scratch\nMAINTAINER me\n");
  const { result } = await lintDockerfile(file, options, io);
  expect(result.buildError).toMatchObject({
    message: expect.stringContaining("MaintainerDeprecated"),
    location: {},
  });
  await expect(outlineDockerfile(file, options, io)).rejects.toThrow("MaintainerDeprecated");
});

it("a check tells what it found before the mistake, and about its instruction", async () => {
  const checked = await lintDockerfile(
    new TextEncoder().encode("FROM scratch\nMAINTAINER\n"),
    options,
    io,
  );
  expect(checked.result.warnings).toMatchObject([{ ruleName: "MaintainerDeprecated" }]);
});

it("a check tells of warnings with their lines, and whether the file fails", async () => {
  const check = async (file: string) =>
    await lintDockerfile(new TextEncoder().encode(file), options, io);
  const warned = await check("FROM scratch\nMAINTAINER me\n");
  expect(warned.failed).toBe(false);
  expect(warned.text).toContain("Dockerfile:2\n");
  expect((await check("# check=error=true\nFROM scratch\nMAINTAINER me\n")).failed).toBe(true);
  const broken = await check("FROM scratch\nMAINTAINER me\nNONSENSE\nMAINTAINER you\n");
  expect(broken.failed).toBe(true);
  expect(broken.result.buildError).toMatchObject({
    location: { ranges: [{ start: { line: 3 } }] },
  });
  expect(broken.result.warnings).toHaveLength(1);
});

it("a dump has every op by its digest", async () => {
  const dump = await dumpDockerfile(data, { ...options, target: "app" }, io);
  expect(Object.values(dump.def)).toContainEqual({
    Op: { source: { identifier: "docker-image://docker.io/library/busybox:1" } },
    platform: { Architecture: "amd64", OS: "linux" },
    constraints: {},
  });
  expect(Object.keys(dump.metadata).sort()).toEqual(Object.keys(dump.def).sort());
  expect(dump.source).toMatchObject({ infos: [{ filename: "Dockerfile" }] });
});

it("all sub-requests are listed", () => {
  expect(describeText().split("\n")).toEqual([
    "NAME                 VERSION DESCRIPTION",
    "outline              1.0.0   List all parameters current build target supports",
    "targets              1.0.0   List all targets current build supports",
    "lint                 1.0.0   Lint a Dockerfile",
    "convertllb           0.1.0   Convert Dockerfile to LLB",
    "subrequests.describe 1.0.0   List available subrequest types",
    "",
  ]);
  expect(describeJson()[4]).toEqual({
    name: "frontend.subrequests.describe",
    version: "1.0.0",
    type: "rpc",
    description: "List available subrequest types",
    opts: null,
    inputs: null,
    metadata: [
      { name: "result.json", description: "" },
      { name: "result.txt", description: "" },
    ],
    refs: null,
  });
});
