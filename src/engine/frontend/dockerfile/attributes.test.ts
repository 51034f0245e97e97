// The frontend's options as clients write them, and those that are refused.
import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { parseDockerfileAttrs } from "./attributes.ts";

const host = { os: "linux", architecture: "amd64" };
const read = (attrs: Readonly<Record<string, string>>) => parseDockerfileAttrs(attrs, host);

describe("frontend options", () => {
  it("are the defaults where nothing is said", () => {
    expect(read({})).toMatchObject({
      filename: "Dockerfile",
      isDefaultFilename: true,
      context: { keepGitDir: false },
      dockerfileName: "dockerfile",
      dockerfileIsLent: false,
      platforms: [],
      multiPlatform: false,
      isForwarded: false,
    });
  });

  it("say what all RUN steps have", () => {
    const { options } = read({
      "add-hosts": "a=10.0.0.1,b=::1",
      "cgroup-parent": "builds",
      "force-network-mode": "none",
      hostname: "here",
      "shm-size": "67108864",
      ulimit: "nofile=1024:2048,nproc=-1",
    });
    expect(options).toMatchObject({
      extraHosts: [
        { host: "a", ip: "10.0.0.1" },
        { host: "b", ip: "::1" },
      ],
      cgroupParent: "builds",
      networkMode: "none",
      hostname: "here",
      shmSize: 67108864,
      ulimits: [
        { name: "nofile", soft: 1024, hard: 2048 },
        { name: "nproc", soft: -1, hard: -1 },
      ],
    });
  });

  it("choose contexts, sessions and inputs", () => {
    const config = Buffer.from('{"os":"linux"}').toString("base64");
    const request = read({
      "context:base": "input:one",
      "input-metadata:one": JSON.stringify({ "containerimage.config": config, other: "eA==" }),
      "local-sessionid:context": "s1",
      "sharedkey:localdir:base": "k1",
    });
    expect(request.options).toMatchObject({
      namedContexts: { base: "input:one" },
      sessionIds: { context: "s1" },
      sharedKeys: { base: "k1" },
    });
    expect(new TextDecoder().decode(request.inputConfigs["one"])).toBe('{"os":"linux"}');
  });

  it("tell no-cache for all stages from no-cache for some", () => {
    expect(read({}).options.noCache).toBeUndefined();
    expect(read({ "no-cache": "" }).options.noCache).toEqual([]);
    expect(read({ "no-cache": "a, b" }).options.noCache).toEqual(["a", "b"]);
  });

  it("make an index of one platform where that is asked for", () => {
    expect(read({ platform: "linux/arm64", "multi-platform": "true" }).multiPlatform).toBe(true);
    expect(read({ "build-arg:BUILDKIT_MULTI_PLATFORM": "1" }).multiPlatform).toBe(true);
    expect(read({ platform: "linux/arm64,linux/amd64" }).multiPlatform).toBe(true);
  });

  it("know the capabilities that clients ask for, forwarded or not", () => {
    const caps = ["inputs", "subrequests+forward", "contexts", "gitquerystring+forward"];
    const asked = caps.map((one) => `moby.buildkit.frontend.${one}`).join(",");
    expect(() => read({ "frontend.caps": asked })).not.toThrow();
  });

  it.each([
    ["an unknown capability", { "frontend.caps": "moby.buildkit.frontend.magic" }, /capability/],
    ["what was removed", { "override-copy-image": "x" }, /removed in BuildKit 0.11/],
    ["file ops switched off", { "build-arg:BUILDKIT_DISABLE_FILEOP": "1" }, /removed/],
    ["another network", { "force-network-mode": "bridge" }, /force-network-mode/],
    ["another mode of resolving", { "image-resolve-mode": "never" }, /image-resolve-mode/],
    ["a size that is none", { "shm-size": "64m" }, /shm-size/],
    ["a host without address", { "add-hosts": "a" }, /add-hosts/],
    ["a limit without value", { ulimit: "nofile" }, /ulimit/],
    ["metadata that is no JSON", { "input-metadata:a": "{" }, /input-metadata:a/],
    [
      "several platforms as one",
      { platform: "linux/amd64,linux/arm64", "multi-platform": "0" },
      /./,
    ],
  ])("refuse %s", (_, attrs, message) => {
    expect(() => read(attrs as Readonly<Record<string, string>>)).toThrow(message);
  });
});
