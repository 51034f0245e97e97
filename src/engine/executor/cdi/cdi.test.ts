import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CdiDevices, isSameOrKind } from "./devices.ts";
import { readCdiDocument } from "./document.ts";

const spec = (more: object = {}, edits: object = { env: ["FOO=injected"] }) => ({
  cdiVersion: "0.6.0",
  kind: "vendor1.com/device",
  devices: [{ name: "foo", containerEdits: edits }],
  ...more,
});

describe("a specification of devices", () => {
  it("says what a container is given", () => {
    const { kind, devices } = readCdiDocument(
      spec(
        {},
        {
          env: ["A=b=c"],
          deviceNodes: [{ path: "/dev/x", hostPath: "/dev/null", permissions: "r" }],
          mounts: [{ hostPath: "/a", containerPath: "/b", options: ["ro", "nosuid", "bind"] }],
          hooks: [{ hookName: "createContainer", path: "/bin/hook", args: ["hook", "x"] }],
          additionalGids: [44],
        },
      ),
    );
    expect(kind).toBe("vendor1.com/device");
    expect(devices[0]?.edits).toEqual({
      env: ["A=b=c"],
      nodes: [{ path: "/dev/x", hostPath: "/dev/null", readonly: true }],
      mounts: [{ hostPath: "/a", containerPath: "/b", readonly: true }],
      hooks: [
        {
          ...{ name: "createContainer", path: "/bin/hook", args: ["hook", "x"] },
          ...{ env: [], timeout: undefined },
        },
      ],
      groups: [44],
    });
  });

  it.each([
    ["nothing", null],
    ["a list", []],
    ["no version", { ...spec(), cdiVersion: undefined }],
    ["a version of the future", spec({ cdiVersion: "9.0.0" })],
    ["no kind", spec({ kind: undefined })],
    ["a kind without vendor", spec({ kind: "device" })],
    ["unknown members", spec({ more: 1 })],
    ["unknown edits", spec({}, { seccomp: "off" })],
    ["network devices", spec({}, { netDevices: [] })],
    ["a device without a name", spec({ devices: [{ containerEdits: {} }] })],
    ["two devices of one name", spec({ devices: [{ name: "a" }, { name: "a" }] })],
    ["a name with a slash", spec({ devices: [{ name: "a/b" }] })],
    ["a variable without value", spec({}, { env: ["A"] })],
    ["a relative path", spec({}, { mounts: [{ hostPath: "a", containerPath: "/b" }] })],
    ["a path that climbs", spec({}, { mounts: [{ hostPath: "/a/../b", containerPath: "/b" }] })],
    ["a mount over everything", spec({}, { mounts: [{ hostPath: "/a", containerPath: "/" }] })],
    [
      "a mount of a kind",
      spec({}, { mounts: [{ hostPath: "/a", containerPath: "/b", type: "nfs" }] }),
    ],
    ["a hook of no moment", spec({}, { hooks: [{ hookName: "later", path: "/x" }] })],
    ["root's group", spec({}, { additionalGids: [0] })],
    ["too many variables", spec({}, { env: Array.from({ length: 5000 }, () => "A=b") })],
  ])("with %s is refused", (_, value) => {
    expect(() => readCdiDocument(value)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });
});

describe("the machine's devices", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kiln-cdi-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const put = (path: string, content: unknown) => {
    const file = join(directory, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  };
  const open = (...dirs: string[]) =>
    new CdiDevices({ specDirs: dirs.map((name) => join(directory, name)) });
  const lent = (devices: CdiDevices, name: string, optional = false) =>
    devices.lend([{ name, optional }]).env;

  it("are found by name, by kind, all of a kind, and by class", () => {
    put("a/one.json", {
      ...spec(),
      containerEdits: { env: ["ALL=1"] },
      devices: [
        { name: "bar", containerEdits: { env: ["BAR=1"] } },
        {
          name: "foo",
          containerEdits: { env: ["FOO=1"] },
          annotations: { "org.mobyproject.buildkit.device.class": "fast" },
        },
      ],
    });
    const devices = open("a");
    expect(lent(devices, "vendor1.com/device=foo")).toEqual(["ALL=1", "FOO=1"]);
    expect(lent(devices, "vendor1.com/device")).toEqual(["ALL=1", "BAR=1"]);
    expect(lent(devices, "vendor1.com/device=*")).toEqual(["ALL=1", "BAR=1", "FOO=1"]);
    expect(lent(devices, "fast")).toEqual(["ALL=1", "FOO=1"]);
    expect(devices.list().map(({ name }) => name)).toEqual([
      "vendor1.com/device=bar",
      "vendor1.com/device=foo",
    ]);
  });

  it("are described in YAML too", () => {
    put(
      "a/foo.yml",
      'cdiVersion: "0.6.0"\nkind: "vendor1.com/device"\ndevices:\n- name: foo\n  containerEdits:\n    env:\n    - FOO=injected\n',
    );
    expect(lent(open("a"), "vendor1.com/device=foo")).toEqual(["FOO=injected"]);
  });

  it("that are not there stop a step that needs them, and no other", () => {
    put("a/one.json", spec());
    const devices = open("a", "nowhere");
    expect(lent(devices, "vendor1.com/device=fo0", true)).toEqual([]);
    expect(() => lent(devices, "vendor1.com/device=fo0")).toThrow(
      expect.objectContaining({
        code: "DEVICE_NOT_FOUND",
        message: 'required CDI device "vendor1.com/device=fo0" is not registered',
        hint: expect.stringContaining("vendor1.com/device=foo"),
      }),
    );
    expect(() => lent(new CdiDevices({ disabled: true }), "vendor1.com/device=foo")).toThrow();
  });

  it("of a broken file are not there, which is said; those of others are", () => {
    put("a/one.json", spec());
    put("a/broken.yaml", "kind: [");
    put("a/bomb.yaml", `a: &a [1]\n${"b: [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n".repeat(20)}`);
    put("a/notes.txt", spec({ kind: "other.com/device" }));
    const devices = open("a");
    expect(devices.list()).toHaveLength(1);
    expect(() => lent(devices, "other.com/device=foo")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("broken.yaml") }),
    );
  });

  it("of a later directory win", () => {
    put("a/one.json", spec());
    put("b/one.json", spec({}, { env: ["FOO=later"] }));
    expect(lent(open("a", "b"), "vendor1.com/device=foo")).toEqual(["FOO=later"]);
  });

  it("are everybody's where their description or the configuration says so", () => {
    put(
      "a/one.json",
      spec({ annotations: { "org.mobyproject.buildkit.device.autoallow": "true" } }),
    );
    put("a/two.json", spec({ kind: "vendor2.com/device" }));
    const devices = open("a");
    expect(devices.isAutoAllowed("vendor1.com/device=foo")).toBe(true);
    expect(devices.isAutoAllowed("vendor2.com/device=foo")).toBe(false);
    expect(devices.isAutoAllowed("vendor1.com/device=other")).toBe(false);
    const named = new CdiDevices({
      specDirs: [join(directory, "a")],
      autoAllowed: ["vendor2.com/device"],
    });
    expect(named.isAutoAllowed("vendor2.com/device=foo")).toBe(true);
  });
});

it.each([
  ["v.com/gpu", "v.com/gpu=0", true],
  ["v.com/gpu", "v.com/gpu", true],
  ["v.com/gpu=*", "v.com/gpu=0", true],
  ["v.com/gpu=0", "v.com/gpu=0", true],
  ["v.com/gpu=0", "v.com/gpu=1", false],
  ["v.com/gpu=0", "v.com/gpu=*", false],
  ["v.com/gpu=0", "v.com/gpu", false],
  ["v.com/gpu", "v.com/gpux=0", false],
])("a grant of %s is one of %s: %s", (grant, wanted, is) => {
  expect(isSameOrKind(grant, wanted)).toBe(is);
});
