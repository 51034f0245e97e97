// Which frontends there are, and whose may run in containers.
import { describe, expect, it } from "vitest";
import type { BuildBridge, FrontendRequest } from "../../api/index.ts";
import { uncancelled } from "../../base/index.ts";
import { createFrontends, type FrontendsOptions } from "./create-frontends.ts";

/** What the gateway frontend asks the build for another frontend. */
async function ask(source: string, options: FrontendsOptions): Promise<string> {
  const asked: string[] = [];
  const bridge = {
    inputs: {},
    platforms: [],
    async frontend({ name }: FrontendRequest) {
      asked.push(name);
      return { platforms: [], multiPlatform: false, metadata: {} };
    },
  } as unknown as BuildBridge;
  const gateway = createFrontends(options).get("gateway.v0");
  await gateway?.solve({ source }, bridge, uncancelled);
  return asked.join();
}

describe("frontends", () => {
  it("are all there unless some are named", () => {
    expect([...createFrontends({}).keys()]).toEqual(["dockerfile.v0", "gateway.v0"]);
    expect([...createFrontends({ frontends: ["gateway.v0"] }).keys()]).toEqual(["gateway.v0"]);
    expect([...createFrontends({ frontends: [] }).keys()]).toEqual([]);
  });

  it("in images of the standard one are the one that is built in, where it is there", async () => {
    expect(await ask("docker/dockerfile:1", {})).toBe("dockerfile.v0");
    const without = ask("docker/dockerfile:1", { frontends: ["gateway.v0"] });
    await expect(without).rejects.toThrow("cannot be run here");
  });

  it("are refused when they come from other repositories than those that are allowed", async () => {
    const gatewaySources = ["docker.io/docker/dockerfile", "registry.example.com/own"];
    expect(await ask("docker/dockerfile:1.7", { gatewaySources })).toBe("dockerfile.v0");
    await expect(ask("docker/dockerfile-upstream", { gatewaySources })).rejects.toThrow(
      "'docker/dockerfile-upstream' is not an allowed gateway source",
    );
    const own = ask("registry.example.com/own:2", { gatewaySources });
    await expect(own).rejects.toThrow("cannot be run here");
  });
});
