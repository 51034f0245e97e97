// What a daemon is to be: flags of buildkitd, its configuration file, and which of them wins.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readConfig } from "../../config/index.ts";
import { parseFlags } from "../../flags/index.ts";
import type { RunWorld } from "../command.ts";
import { serveFlags } from "./serve-flags.ts";
import { type DaemonSettings, daemonSettings } from "./serve-settings.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-serve-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function settings(
  args: readonly string[],
  toml = "",
  env: Readonly<Record<string, string>> = {},
): Promise<DaemonSettings> {
  const file = join(directory, "buildkitd.toml");
  writeFileSync(file, toml);
  const config = await readConfig(file, { KILN_CERTS_D: "" });
  const { flags } = parseFlags(serveFlags, args, { command: "serve" });
  return daemonSettings(flags, config, {
    cwd: directory,
    env,
    globals: { debug: false },
  } as unknown as RunWorld);
}

describe("a daemon's settings", () => {
  it("are buildkitd's where nobody says anything", async () => {
    const { addresses, engine, logFormat, notes } = await settings([]);
    expect(addresses).toEqual([{ kind: "unix", path: "/run/buildkit/buildkitd.sock" }]);
    expect(logFormat).toBe("text");
    expect(notes).toEqual([]);
    expect(engine.network).toBeUndefined();
    expect(engine.platforms).toBeUndefined();
  });

  it("know all frontends, unless the file takes one away or says whose may run", async () => {
    expect((await settings([])).engine.frontends).toEqual(["dockerfile.v0", "gateway.v0"]);
    const toml = `
[frontend."dockerfile.v0"]
enabled = false
[frontend."gateway.v0"]
allowedRepositories = ["docker.io/docker/dockerfile"]
`;
    expect((await settings([], toml)).engine).toMatchObject({
      frontends: ["gateway.v0"],
      gatewaySources: ["docker.io/docker/dockerfile"],
    });
  });

  it("come from the file, and flags win", async () => {
    const toml = `
[grpc]
address = ["unix:///a.sock"]
debugAddress = "127.0.0.1:6060"
[dns]
nameservers = ["10.0.0.53"]
options = ["ndots:0"]
[worker.oci]
platforms = ["linux/arm64"]
networkMode = "host"
max-parallelism = 3
`;
    const read = await settings([], toml);
    expect(read.addresses).toEqual([{ kind: "unix", path: "/a.sock" }]);
    expect(read.debugAddress).toBe("127.0.0.1:6060");
    expect(read.engine).toMatchObject({
      dns: { nameservers: ["10.0.0.53"], options: ["ndots:0"], searchDomains: [] },
      jobs: 3,
      network: "host",
      platforms: [{ os: "linux", architecture: "arm64" }],
    });
    const flags = [
      "--addr",
      "tcp://:1",
      "--oci-worker-net",
      "bridge",
      "--oci-max-parallelism",
      "5",
    ];
    const given = await settings([...flags, "--oci-worker-platform", "linux/riscv64"], toml);
    expect(given.addresses).toEqual([{ kind: "tcp", host: "", port: 1 }]);
    expect(given.engine).toMatchObject({
      jobs: 5,
      network: "sandbox",
      platforms: [{ os: "linux", architecture: "riscv64" }],
    });
  });

  it("keep the order of platforms: the first is the default", async () => {
    const args = ["--oci-worker-platform", "linux/arm64,linux/amd64"];
    const { engine } = await settings(args);
    expect(engine.platforms?.map(({ architecture }) => architecture)).toEqual(["arm64", "amd64"]);
  });

  it("take how much of a step's output is told from the environment", async () => {
    const limit = async (text: string) =>
      (await settings([], "", { BUILDKIT_STEP_LOG_MAX_SIZE: text })).engine.history?.stepLogLimit;
    expect(await limit("4096")).toBe(4096);
    expect(await limit("-1")).toBe(Number.POSITIVE_INFINITY);
    expect(await limit("much")).toBeUndefined();
  });

  it("read space for the cache in the reference's order", async () => {
    const { engine } = await settings(["--oci-worker-gc-keepstorage", "1,2,3"]);
    expect(engine.gc).toMatchObject({
      reservedSpace: { bytes: 1e6 },
      minFreeSpace: { bytes: 2e6 },
      maxUsedSpace: { bytes: 3e6 },
    });
  });

  it("take the level of the log from flags and the file", async () => {
    expect((await settings([])).logLevel).toBe("info");
    expect((await settings(["--log-level", "warn"])).logLevel).toBe("warning");
    expect((await settings(["--log-level", "error"], "debug = true")).logLevel).toBe("debug");
    expect((await settings([], '[log]\nlevel = "error"')).logLevel).toBe("error");
    expect((await settings(["--trace"])).logLevel).toBe("trace");
  });

  it("know the debug address of the environment", async () => {
    const env = { BUILDKITD_DEBUGADDR: "127.0.0.1:6061" };
    expect((await settings([], "", env)).debugAddress).toBe("127.0.0.1:6061");
  });

  it("say what has no effect", async () => {
    const { notes } = await settings(
      ["--otel-socket-path", "/run/otel.sock"],
      '[otel]\nsocketPath = "/x"',
    );
    expect(notes).toEqual(["--otel-socket-path: traces of steps are not passed on"]);
    const cni = await settings([], '[worker.oci]\ncniConfigPath = "/etc/cni"\nbridgeName = "b"');
    expect(cni.notes).toEqual([
      "settings of CNI have no effect: every step gets a network of its own without it",
    ]);
  });

  it.each([
    [["--oci-worker", "false"], "cannot be disabled"],
    [["--containerd-worker", "true"], "no containerd worker"],
    [["--oci-worker-net", "cni"], "no network mode"],
    [["--addr", "npipe://x"], "invalid address"],
    [["--tlscert", "only.pem"], "both --tlscert and --tlskey"],
    [["--group", "no-such-group-here"], "there is no group"],
    [["--oci-worker-gc-keepstorage", "lots"], "megabytes"],
    [["--allow-insecure-entitlement", "everything"], "no entitlement"],
    [["--oci-worker-snapshotter", "zfs"], "no snapshotter"],
    [["--log-level", "loud"], "not a valid log level"],
    [["--addr", "/run/x.sock"], "you meant unix:///run/x.sock"],
  ])("refuse %j", async (args, why) => {
    await expect(settings(args)).rejects.toThrow(why);
  });
});
