// What `kiln bake --print` writes, beside what docker buildx wrote for the same files.
import { describe, expect, it } from "vitest";
import { runKiln } from "../cli/world.ts";
import { type BakeCase, readCases } from "./cases.ts";

const cases = readCases();

async function print({ args, env, files }: BakeCase) {
  const argv = ["bake", "--print", ...args];
  return await runKiln(argv, { files: Object.fromEntries(files), env });
}

describe("what buildx prints, byte for byte", () => {
  const printed = cases.filter((one) => one.printed !== undefined);
  it.each(printed.map((one) => [one.name, one] as const))("%s", async (_, one) => {
    const { stdout, stderr } = await print(one);
    expect(stdout || stderr).toBe(one.printed);
  });
});

describe("what buildx refuses, in its words", () => {
  const refused = cases.filter((one) => one.refused !== undefined);
  it.each(refused.map((one) => [one.name, one] as const))("%s", async (_, one) => {
    const { stdout, stderr, exitCode } = await print(one);
    expect([stdout, exitCode]).toEqual(["", 1]);
    expect(stderr.replaceAll(/\s+/g, " ")).toContain(one.refused?.trim().replaceAll(/\s+/g, " "));
  });
});
