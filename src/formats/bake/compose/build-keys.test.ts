// Attributes of `build` that Compose does not have.
import { expect, it } from "vitest";
import { checkBuildKeys } from "./build-keys.ts";

it("are refused by name, extensions are not", () => {
  checkBuildKeys("web", { context: ".", "x-bake": {}, "x-own": 1 });
  expect(() => checkBuildKeys("web", { context: ".", nope: 1 })).toThrow(
    "services.web.build additional properties 'nope' not allowed",
  );
});
