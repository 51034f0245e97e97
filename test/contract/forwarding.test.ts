// Forwarding on a machine that refuses it, in a network of the test's own: opened for steps, and put back however they end.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { describeWith } from "../kit/needs.ts";

const checkout = join(import.meta.dirname, "../..");
const hasTools = ["iptables", "ip", "nsenter", "unshare"].every(
  (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0,
);
const canFilter =
  hasTools && spawnSync("unshare", ["-n", "iptables", "-w", "-S", "FORWARD"]).status === 0;
if (!canFilter) console.warn("skipped: iptables does not work here");

vi.setConfig({ testTimeout: 120_000, hookTimeout: 30_000 });

describeWith(["root"], "forwarding", () => {
  let world: ChildProcess;
  let children: ChildProcess[];
  beforeEach(async () => {
    children = [];
    // A network, mounts and a /run that nobody else sees.
    const setUp =
      "mount -t tmpfs none /run && ip link add out0 type veth peer name out1 && echo ready && exec sleep 600";
    world = spawn("unshare", ["-n", "-m", "sh", "-c", setUp], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(world.stdout ?? world, "data");
  });
  afterEach(() => {
    for (const child of [...children, world]) child.kill("SIGKILL");
  });

  const inside = (...command: string[]) =>
    execFileSync("nsenter", ["-t", `${world.pid}`, "-n", "-m", ...command], {
      encoding: "utf8",
    }).trim();
  const isOn = () => inside("cat", "/proc/sys/net/ipv4/conf/out0/forwarding") === "1";
  const rules = () =>
    inside("iptables", "-w", "-S", "FORWARD")
      .split("\n")
      .filter((line) => line.includes("kiln"));
  const holder = async (): Promise<{ child: ChildProcess; guard: string; lines: Interface }> => {
    const tsx = join(checkout, "node_modules/.bin/tsx");
    const script = join(import.meta.dirname, "forwarding-holder.ts");
    const args = ["-t", `${world.pid}`, "-n", "-m", tsx, script, "out0"];
    const child = spawn("nsenter", args, { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    const lines = createInterface({ input: child.stdout ?? process.stdin });
    const [guard] = (await once(lines, "line")) as [string];
    return { child, guard, lines };
  };
  const end = async ({ child }: { child: ChildProcess }) => {
    const gone = once(child, "exit");
    child.stdin?.write("\n");
    await gone;
  };

  it.runIf(canFilter)(
    "is opened where it is off and refused, and put back by the last",
    async () => {
      inside("iptables", "-P", "FORWARD", "DROP");
      expect(isOn()).toBe(false);
      const first = await holder();
      expect(isOn()).toBe(true);
      expect(rules()).toHaveLength(2);
      const second = await holder();
      await end(first);
      expect([isOn(), rules().length]).toEqual([true, 2]);
      await end(second);
      expect([isOn(), rules().length]).toEqual([false, 0]);
      expect(inside("iptables", "-w", "-S", "FORWARD")).toContain("-P FORWARD DROP");
    },
  );

  it.runIf(canFilter)("is put back when its holder is killed", async () => {
    inside("iptables", "-P", "FORWARD", "DROP");
    const { child, guard } = await holder();
    expect(guard).toMatch(/^\d+$/);
    expect(isOn()).toBe(true);
    // tsx starts the program as a child of its own: its guard's input ends with the program.
    const parent = inside("sh", "-c", `awk '/^PPid/{print $2}' /proc/${guard}/status`);
    process.kill(Number(parent), "SIGKILL");
    child.kill("SIGKILL");
    await vi.waitFor(() => expect([isOn(), rules().length]).toEqual([false, 0]), 10_000);
  });

  it.runIf(canFilter)("is put back by the next when the guard itself was killed", async () => {
    inside("iptables", "-P", "FORWARD", "DROP");
    const { guard, child } = await holder();
    expect(isOn()).toBe(true);
    process.kill(Number(guard), "SIGKILL");
    child.kill("SIGKILL");
    expect(isOn()).toBe(true);
    const next = await holder();
    expect(next.guard).toMatch(/^\d+$/);
    await end(next);
    expect([isOn(), rules().length]).toEqual([false, 0]);
  });

  it.runIf(canFilter)("is left alone where it is on already", async () => {
    inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/out0/forwarding");
    const { guard, ...held } = await holder();
    expect(guard).toBe("nothing to do");
    await end(held);
    expect(isOn()).toBe(true);
  });
});
