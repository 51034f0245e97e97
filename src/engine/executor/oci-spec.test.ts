import { expect, it } from "vitest";
import { defaultCapabilities, parseCapabilityMask } from "./capabilities.ts";
import type { ProcessSpec } from "./executor.ts";
import { ociSpec, type SpecSetting } from "./oci-spec.ts";

const process: ProcessSpec = {
  args: ["/bin/sh", "-c", "true"],
  env: ["A=1"],
  cwd: "/work",
  network: "default",
  security: "sandbox",
  platform: { os: "linux", architecture: "amd64" },
};

const setting: SpecSetting = {
  rootfs: "/run/root",
  user: { uid: 1, gid: 2, additionalGids: [2, 3], home: "/home/one" },
  rlimits: [],
  mounts: [],
  bounding: parseCapabilityMask("1ffffffffff"),
  machine: "amd64",
  cgroup: { namespace: true, mount: false },
  network: { type: "host" },
  seccomp: { type: "rules" },
  owners: "many",
  terminal: false,
};

const rootHook = { path: "/run/remount", args: ["remount", "/run/root"] };

it.each([
  ["default", process, { ...setting, rootHook }],
  [
    "insecure",
    { ...process, security: "insecure" },
    {
      ...setting,
      cgroup: { namespace: true, mount: true, path: "/kiln-1-1" },
      insecureDevices: [{ path: "/dev/loop0", type: "b", major: 7, minor: 0 }],
    },
  ],
  [
    "no-network",
    { ...process, network: "none", hostname: "box", shmSize: 1 << 20 },
    {
      ...setting,
      seccomp: { type: "none" },
      network: { type: "new" },
      cgroup: { namespace: false, mount: false },
    },
  ],
  [
    "compiled-filter",
    { ...process, env: ["PATH=/x", "HOME=/y"] },
    {
      ...setting,
      seccomp: { type: "compiled", program: "AAAA" },
      network: { type: "join", path: "/run/network" },
      terminal: true,
    },
  ],
] as const)("writes the configuration of a step: %s", async (name, one, how) => {
  const text = `${JSON.stringify(ociSpec(one, how), undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot(`../../../test/golden/executor/${name}.json`);
});

it("gives only capabilities that this process has itself", () => {
  const { capabilities } = ociSpec(process, {
    ...setting,
    bounding: new Set(["CAP_CHOWN", "CAP_SYS_ADMIN"]),
  }).process;
  expect(capabilities).toEqual({
    bounding: ["CAP_CHOWN"],
    effective: ["CAP_CHOWN"],
    permitted: ["CAP_CHOWN"],
  });
});

it("has Docker's fourteen capabilities by default", () => {
  expect(new Set(defaultCapabilities)).toEqual(parseCapabilityMask("a80425fb"));
});

it.each([
  { ...process, security: 2 as unknown as "sandbox" },
  { ...process, security: "" as "sandbox" },
])("refuses what it does not know: $security", (one) => {
  expect(() => ociSpec(one, setting)).toThrow("unreachable");
});

it("refuses a network that it does not know", () => {
  const network = { type: "bridge" } as unknown as SpecSetting["network"];
  expect(() => ociSpec(process, { ...setting, network })).toThrow("unreachable");
});
