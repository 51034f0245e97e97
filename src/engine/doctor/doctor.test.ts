// What the doctor concludes from what it finds, on machines that are not this one.
import { expect, it } from "vitest";
import type { IsolationReport } from "../isolation/index.ts";
import { installFix, parseDistribution } from "./distribution.ts";
import { judgeEmulation } from "./emulation.ts";
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { judgeForced } from "./forced.ts";
import { judgeIsolation } from "./isolation.ts";
import { isAtLeast, judgeMachine } from "./machine.ts";
import { clock } from "./network.ts";
import { judgeResources } from "./resources.ts";
import { judgeStepNetwork } from "./step-network.ts";
import { judgeTools } from "./tools.ts";

const rung = (isolation: IsolationReport["rungs"][number]["isolation"], works: boolean) => ({
  isolation,
  works,
  owners: "many" as const,
  ...(works ? {} : { reason: `no ${isolation}` }),
});

const isolation: IsolationReport = {
  rungs: [
    rung("root", false),
    rung("userns", true),
    rung("userns-fuse", false),
    rung("userns-copy", true),
    rung("proot", false),
  ],
  chosen: "userns",
  owners: "many",
  privateHandlers: { works: true },
  cgroup2: { works: true },
};

const healthy: Facts = {
  uid: 1000,
  user: "ann",
  distribution: parseDistribution('ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04 LTS"\n'),
  kernel: "6.8.0-31-generic",
  node: "v20.20.2",
  switches: { "user/max_user_namespaces": "95000" },
  isolation,
  tools: {
    crun: { name: "crun", path: "/usr/bin/crun", version: "1.8.1" },
    git: { name: "git", path: "/usr/bin/git", version: "2.39" },
    ssh: { name: "ssh", path: "/usr/bin/ssh", version: "9.2p1" },
    newuidmap: { name: "newuidmap", path: "/usr/bin/newuidmap", version: undefined },
    pasta: { name: "pasta", path: "/usr/bin/pasta", version: undefined },
    ip: { name: "ip", path: "/usr/bin/ip", version: undefined },
  },
  handlers: { mounted: false, enabled: false, handlers: [] },
  emulators: ["arm64", "arm", "riscv64", "ppc64le", "s390x"].map((architecture) => ({
    architecture,
    path: `/usr/bin/qemu-${architecture}`,
    version: "10.0.2",
  })),
  machine: "amd64",
  mounts: "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
  groups: "0::/user.slice\n",
  controllers: "cpu memory pids",
  groupWritable: true,
  tun: "open",
  disk: {
    root: "/home/ann/.local/share/kiln",
    writable: true,
    type: 0xef53,
    free: 50e9,
    total: 100e9,
    freeInodes: 1e6,
    inodes: 2e6,
  },
};

const judge = (more: Partial<Facts> = {}): readonly Finding[] => {
  const facts = { ...healthy, ...more };
  const judges = [judgeMachine, judgeIsolation, judgeEmulation, judgeResources, judgeStepNetwork];
  return [...judges, judgeTools].flatMap((one) => one(facts));
};
const find = (id: string, more: Partial<Facts> = {}) => judge(more).find((one) => one.id === id);

it("finds nothing wrong with a machine that has everything", () => {
  const statuses = judge().map(({ id, status }) => `${id} ${status}`);
  expect(statuses.filter((one) => /warning|missing/.test(one))).toEqual([]);
});

it.each([
  ["user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"],
  ["kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"],
  [
    "kernel/apparmor_restrict_unprivileged_userns",
    "1",
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
  ],
])("gives the command for the switch %s", (name, value, command) => {
  const none = { ...isolation, rungs: [rung("userns-copy", false)], chosen: undefined };
  const finding = find("userns", { isolation: none, switches: { [name]: value } });
  expect(finding?.status).toBe("warning");
  expect(finding?.fix).toEqual({ commands: [command], root: true, harmless: false });
});

it("misses a way to run steps only where there is none", () => {
  const none = { ...isolation, rungs: [rung("userns-copy", false)], chosen: undefined };
  expect(find("isolation", { isolation: none })?.status).toBe("missing");
  const proot = { ...isolation, rungs: [rung("proot", true)], chosen: "proot" as const };
  expect(find("isolation", { isolation: proot })?.status).toBe("warning");
});

it("gives an ordinary user without lent ids the command that lends some", () => {
  const ownersObstacle = { reason: "no ranges", command: "usermod --add-subuids 7-9 ann" };
  const one = { ...isolation, owners: "one" as const, ownersObstacle };
  expect(find("subuid", { isolation: one })?.fix?.commands).toEqual([ownersObstacle.command]);
  expect(find("subuid", { isolation: one, uid: 0 })).toBeUndefined();
});

it("knows which processors nothing here runs, and how to get there", () => {
  const finding = find("emulators", { emulators: [] });
  expect(finding?.consequence).toContain("arm64, arm, riscv64");
  expect(finding?.fix?.commands).toEqual(["apt-get install -y qemu-user-static"]);
  const old = { ...isolation, privateHandlers: { works: false, reason: "too old" } };
  expect(find("emulators", { isolation: old })?.fix?.commands).toEqual([
    "kiln binfmt --install all",
  ]);
});

it("says whose network steps get, and what a network of their own lacks", () => {
  expect(find("step-network")?.found).toBe("one for each step, by pasta");
  const { pasta: _, ...neither } = healthy.tools;
  const install = find("step-network", { tools: neither });
  expect(install?.fix?.commands).toEqual(["apt-get install -y slirp4netns"]);
  const { ip: __, ...noIp } = healthy.tools;
  expect(find("step-network", { tools: noIp })?.fix?.commands).toEqual([
    "apt-get install -y iproute2",
  ]);
  expect(find("step-network", { tun: "absent" })?.advice).toContain("modprobe tun");
  const closed = find("step-network", { tun: "closed" });
  expect(closed?.fix?.commands).toEqual(["chmod 0666 /dev/net/tun"]);
  const on = (chosen: IsolationReport["chosen"]) => ({ isolation: { ...isolation, chosen } });
  expect(find("step-network", on("proot"))?.status).toBe("info");
  expect(find("step-network", on("root"))).toBeUndefined();
});

it("says what the environment forces upon builds", () => {
  expect(judgeForced({ KILN_QEMU: "", PATH: "/bin" })).toEqual([]);
  const [forced] = judgeForced({ KILN_ISOLATION: "proot", KILN_NETWORK: "host" });
  expect(forced?.found).toBe("KILN_ISOLATION=proot, KILN_NETWORK=host");
});

it("misses a container runtime where there is none, and prefers crun", () => {
  expect(find("runtime", { tools: {} })?.status).toBe("missing");
  const runc = { name: "runc", path: "/usr/sbin/runc", version: "1.1" };
  expect(find("runtime", { tools: { runc } })?.status).toBe("warning");
});

it.each([
  [{ free: 100e6 }, "disk", "missing"],
  [{ free: 2e9 }, "disk", "warning"],
  [{ freeInodes: 5 }, "disk", "warning"],
  [{ writable: false }, "store", "missing"],
  [{ type: 0x6969 }, "store", "warning"],
])("judges the disk: %j", (more, id, status) => {
  expect(find(id, { disk: { ...healthy.disk, ...more } })?.status).toBe(status);
});

it("says that limits need delegation where there is none", () => {
  expect(find("cgroups", { groupWritable: false })?.advice).toContain("Delegate=yes");
});

it("compares the clock with a registry's", () => {
  const url = new URL("https://r.example/v2/");
  expect(clock(2000, url).status).toBe("ok");
  expect(clock(-400_000, url).found).toBe("400 seconds behind r.example");
});

it("compares kernel versions by number", () => {
  expect(isAtLeast("6.18.4-rc1", [6, 7])).toBe(true);
  expect(isAtLeast("6.6.99", [6, 7])).toBe(false);
  expect(isAtLeast("10.0", [6, 7])).toBe(true);
});

it.each([
  ["ID=fedora\n", "dnf install -y shadow-utils"],
  ["ID=alpine\n", "apk add shadow-uidmap"],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install -y shadow-utils"],
  ["ID=debian\n", "apt-get install -y uidmap"],
])("knows the packages of %j", (text, command) => {
  expect(installFix("uidmap", parseDistribution(text))?.commands).toEqual([command]);
});

it("does not guess the package manager of a system that it does not know", () => {
  expect(installFix("uidmap", parseDistribution("ID=void\n"))).toBeUndefined();
});

it("what fuse-overlayfs loses is said where it is what builds use", () => {
  const rungs = isolation.rungs.map((one) =>
    one.isolation === "userns-fuse" ? rung("userns-fuse", true) : one,
  );
  const said = (chosen: IsolationReport["chosen"]) =>
    judgeIsolation({ ...healthy, isolation: { ...isolation, rungs, chosen } }).find(
      ({ id }) => id === "fuse-overlayfs",
    );
  expect(said("userns")).toMatchObject({ status: "ok" });
  expect(said("userns-fuse")?.consequence).toContain("set-group-id");
});
