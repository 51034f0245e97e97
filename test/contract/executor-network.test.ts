// What a step can reach, with the real runtime and the real kernel.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Executor, openExecutor } from "../../src/engine/executor/index.ts";
import { describeWith } from "../kit/needs.ts";
import { makeRoot, overlayOn, runShell, temporaryDirectory } from "./executor-kit.ts";

describeWith(["root", "runtime", "busybox"], "the network of a step", () => {
  let place: ReturnType<typeof temporaryDirectory>;
  let executor: Executor;
  let server: Server;
  let port: number;
  beforeAll(async () => {
    place = temporaryDirectory();
    executor = await openExecutor({ stateDir: join(place.path, "state"), network: "sandbox" });
    server = createServer((socket) => socket.end("from the machine\n"));
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    port = (server.address() as { port: number }).port;
  });
  afterAll(async () => {
    await executor[Symbol.asyncDispose]();
    server.close();
    place[Symbol.dispose]();
  });
  let number = 0;
  const shell = (
    command: string,
    process: NonNullable<Parameters<typeof runShell>[3]>["process"],
  ) => {
    const lower = makeRoot(join(place.path, `root-${++number}`));
    return runShell(executor, overlayOn(lower).mounts, command, { process: process ?? {} });
  };
  const connect = (address: string) =>
    `/bin/busybox timeout 3 /bin/busybox nc ${address} ${port} </dev/null 2>&1 || echo unreachable`;
  const lan = () =>
    Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .find(({ family, internal, address }) => family === "IPv4" && !internal && address)?.address;

  it("has loopback and a link of its own, and no machine's interface", async () => {
    const { stdout } = await shell("ls /sys/class/net; cat /proc/net/route", {});
    expect(stdout).toMatch(/^eth0\nlo\n/);
    expect(stdout).toContain("eth0\t00000000\t");
  });

  it("does not lead to the machine's loopback, nor to a cloud's metadata", async () => {
    const begun = performance.now();
    const { stdout } = await shell(`${connect("127.0.0.1")}; ${connect("169.254.169.254")}`, {});
    expect(stdout.match(/unreachable/g)).toHaveLength(2);
    expect(stdout).not.toContain("from the machine");
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  it("does not lead to loopback through the machine's end of the link", async () => {
    const martian = `/bin/busybox ip route add 127.0.0.0/8 via $(/bin/busybox ip route | /bin/busybox sed -n 's/default via \\([^ ]*\\).*/\\1/p'); ${connect("127.0.0.2")}`;
    const { stdout } = await shell(martian, {});
    expect(stdout).toContain("unreachable");
  });

  it("leads out with the machine's address, and to the machine as host-gateway", async () => {
    const extraHosts = [{ host: "machine.internal", ip: "host-gateway" }];
    const reached = await shell(connect("machine.internal"), { extraHosts });
    expect(reached.stdout).toContain("from the machine");
    const own = await shell(connect(lan() ?? "machine.internal"), { extraHosts });
    expect(own.stdout).toContain("from the machine");
  });

  it("is the machine's only when asked for, and none has loopback alone", async () => {
    const host = await shell(connect("127.0.0.1"), { network: "host" });
    expect(host.stdout).toContain("from the machine");
    const none = await shell("ls /sys/class/net; cat /proc/net/route", { network: "none" });
    expect(none.stdout).toMatch(/^lo\n/);
    expect(none.stdout).not.toContain("eth0");
  });

  it("is not shared by steps that run at once, and is used again by the next", async () => {
    const serve = "/bin/busybox nc -l -p 5999 & sleep 0.4; cat /proc/net/route";
    const [one, other] = await Promise.all([shell(serve, {}), shell(serve, {})]);
    expect(one.stderr + other.stderr).toBe("");
    expect(one.stdout).not.toBe(other.stdout);
    const third = await shell("cat /proc/net/route", {});
    expect([one.stdout, other.stdout]).toContain(third.stdout);
  });

  it("of a privileged step is used by nobody afterwards", async () => {
    const change = "/bin/busybox ip link set lo down && /bin/busybox ip route del default";
    await shell(change, { security: "insecure" });
    const { stdout } = await shell("/bin/busybox ip link show lo; cat /proc/net/route", {});
    expect(stdout).toContain("LOOPBACK,UP");
    expect(stdout).toContain("eth0\t00000000\t");
  });

  it("is not changed by a step without privileges", async () => {
    const { stdout } = await shell("/bin/busybox ip link set lo down || echo refused", {});
    expect(stdout).toBe("refused\n");
  });

  it("is the machine's, said once and with the reason, where the kernel gives none; or refused", () => {
    const victim = join(import.meta.dirname, "executor-network-victim.ts");
    const withoutRights = (mode: string) =>
      spawnSync(
        "setpriv",
        [
          "--bounding-set=-net_admin",
          "--inh-caps=-all",
          process.execPath,
          "--import",
          "tsx",
        ].concat([victim, place.path, mode]),
        { encoding: "utf8", cwd: join(import.meta.dirname, "../..") },
      );
    const shared = withoutRights("auto");
    expect(shared.signal).toBe("SIGKILL");
    expect(shared.stdout).toContain("steps share the machine's network");
    expect(shared.stdout).toContain("EPERM");
    const refused = withoutRights("sandbox");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("NETWORK_FAILED");
  });

  it("leaves nothing on the machine, neither after its end nor after kill -9", async () => {
    const victim = join(import.meta.dirname, "executor-network-victim.ts");
    const switches = () =>
      readdirSync("/proc/sys/net/ipv4/conf")
        .filter((name) => !name.startsWith("kiln"))
        .map((name) => `${name} ${readFileSync(`/proc/sys/net/ipv4/conf/${name}/forwarding`)}`);
    const before = switches();
    const child = spawnSync(process.execPath, ["--import", "tsx", victim, place.path], {
      encoding: "utf8",
      cwd: join(import.meta.dirname, "../.."),
    });
    expect(child.stderr).toBe("");
    expect(child.signal).toBe("SIGKILL");
    const [pid = ""] = child.stdout.split("\n");
    const name = `kiln${Number(pid).toString(36)}n1`;
    expect(child.stdout).toContain(name);
    await expect.poll(() => existsSync(`/sys/class/net/${name}`), { timeout: 5000 }).toBe(false);
    await expect.poll(switches, { timeout: 5000 }).toEqual(before);
    const rules = spawnSync("iptables-save", { encoding: "utf8" });
    if (rules.status === 0) expect(rules.stdout).not.toContain(`kiln-${pid}`);
  });
});
