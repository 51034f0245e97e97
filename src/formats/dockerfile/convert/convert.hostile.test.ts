// Dockerfiles that want to fill the memory, or to never end.
import { expect, it } from "vitest";
import { isKilnError, type KilnError } from "../../../base/index.ts";
import { type ConvertIo, convertDockerfile } from "./index.ts";

const config = {
  os: "linux",
  architecture: "amd64",
  rootfs: { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] },
};

async function outcome(text: string, image: object = {}): Promise<"converted" | KilnError> {
  const io: ConvertIo = {
    resolveImage: async () => ({
      config: new TextEncoder().encode(JSON.stringify({ ...config, config: image })),
    }),
  };
  const options = { buildPlatforms: [{ os: "linux", architecture: "amd64" }], newId: () => "id" };
  try {
    await convertDockerfile(new TextEncoder().encode(text), options, io);
    return "converted";
  } catch (error) {
    if (isKilnError(error)) return error;
    throw error;
  }
}

/** Without the file's text, which would fill a failing test's report. */
function messageOf(result: "converted" | KilnError): string {
  return result === "converted" ? result : result.message.slice(0, 200);
}

it("variables that double in every line are stopped", async () => {
  const lines = Array.from({ length: 60 }, () => "ENV A=$A$A");
  const error = await outcome(`FROM scratch\nENV A=xxxxxxxx\n${lines.join("\n")}`);
  expect(messageOf(error)).toContain("characters");
});

it("one long value in many instructions is stopped", async () => {
  const lines = Array.from({ length: 700 }, (_, index) => `LABEL l${index}=$A`);
  const error = await outcome(`FROM scratch\nENV A=${"x".repeat(60_000)}\n${lines.join("\n")}`);
  expect(messageOf(error)).toContain("history");
});

it("all ports again and again are stopped", async () => {
  const ports = Array.from({ length: 5_000 }, () => "1-65535").join(" ");
  expect(messageOf(await outcome(`FROM scratch\nEXPOSE ${ports}`))).toContain("ports");
});

it("a chain of stages longer than the stack is deep is converted", async () => {
  const stages = Array.from(
    { length: 5_000 },
    (_, index) => `FROM s${index} AS s${index + 1}\nCOPY --from=s${index} /a /`,
  );
  expect(await outcome(`FROM scratch AS s0\n${stages.join("\n")}`)).toBe("converted");
});

it("a circle over many stages is found", async () => {
  const stages = Array.from(
    { length: 5_000 },
    (_, index) => `FROM scratch AS s${index}\nCOPY --from=s${index + 1} /a /`,
  );
  const error = await outcome(`${stages.join("\n")}\nFROM scratch AS s5000\nCOPY --from=s0 /a /`);
  expect(messageOf(error)).toContain("circular");
});

it("triggers of a base that are no instructions are refused with the place of FROM", async () => {
  for (const trigger of ["FROM x", "NONSENSE", "RUN a\nRUN b", ""]) {
    expect(await outcome("FROM busybox", { OnBuild: [trigger] })).toMatchObject({
      at: { line: 1 },
    });
  }
});

it("an image without a proper configuration is refused", async () => {
  const io: ConvertIo = { resolveImage: async () => ({ config: new TextEncoder().encode("[]") }) };
  const options = { buildPlatforms: [{ os: "linux", architecture: "amd64" }], newId: () => "id" };
  await expect(
    convertDockerfile(new TextEncoder().encode("FROM x"), options, io),
  ).rejects.toMatchObject({
    code: "IMAGE_INVALID",
  });
});
