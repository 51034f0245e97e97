// What is attested unasked, by the name that Kiln was called by.
import { expect, it } from "vitest";
import { attestsByDefault } from "./default-attestations.ts";

const buildx = { KILN_PLUGIN: "buildx" };

it("Kiln attests nothing by itself, buildx does", () => {
  expect(attestsByDefault({ env: {} })).toBe(false);
  expect(attestsByDefault({ env: { KILN_PLUGIN: "kiln" } })).toBe(false);
  expect(attestsByDefault({ env: buildx })).toBe(true);
});

it("BUILDX_NO_DEFAULT_ATTESTATIONS is a boolean", () => {
  const asked = (text: string) =>
    attestsByDefault({ env: { ...buildx, BUILDX_NO_DEFAULT_ATTESTATIONS: text } });
  expect([asked("1"), asked("0")]).toEqual([false, true]);
  expect(() => asked("maybe")).toThrow(
    'BUILDX_NO_DEFAULT_ATTESTATIONS: strconv.ParseBool: parsing "maybe"',
  );
});
