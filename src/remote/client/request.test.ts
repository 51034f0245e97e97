// What a daemon is asked for.
import { expect, it } from "vitest";
import { solveRequest } from "./request.ts";

const cache = { type: "registry", attrs: { ref: "r.example/cache" } };
const request = { ref: "r", attrs: { target: "a" }, exporters: [], cacheImports: [cache] };

it("frontends are told of the caches that are imported, definitions have them in the request alone", () => {
  const { FrontendAttrs, Cache } = solveRequest({ ...request, frontend: "dockerfile.v0" }, "s");
  expect(JSON.parse(FrontendAttrs.get("cache-imports") ?? "")).toEqual([
    { Type: "registry", Attrs: { ref: "r.example/cache" } },
  ]);
  expect(Cache?.Imports).toHaveLength(1);
  expect(solveRequest(request, "s").FrontendAttrs.has("cache-imports")).toBe(false);
});
