// RUN --device: what a specification of the machine says is in the step, and nowhere without leave.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

describeWith(["root", "runtime", "registry", "bundle"], "a step with a device", () => {
  let world: World;
  let config: string;
  beforeAll(async () => {
    world = await openWorld();
    const specs = join(world.directory, "cdi");
    mkdirSync(specs);
    writeFileSync(join(world.directory, "library"), "what the vendor ships\n");
    const device = (name: string, edits: object) => ({ name, containerEdits: edits });
    writeFileSync(
      join(specs, "vendor.json"),
      JSON.stringify({
        cdiVersion: "0.6.0",
        kind: "vendor.com/thing",
        containerEdits: { env: ["VENDOR=yes"] },
        devices: [
          device("one", {
            env: ["THING=one"],
            deviceNodes: [
              { path: "/dev/thing", hostPath: "/dev/zero" },
              { path: "/opt/thing", hostPath: "/dev/zero" },
            ],
            mounts: [
              {
                hostPath: join(world.directory, "library"),
                containerPath: "/usr/lib/vendor/library",
                options: ["ro", "bind"],
              },
            ],
            additionalGids: [4242],
          }),
          device("two", { env: ["THING=two"] }),
        ],
      }),
    );
    config = join(world.directory, "devices.toml");
    writeFileSync(
      config,
      `[registry."docker.io"]\nmirrors = ["${world.registry.address}"]\n[cdi]\nspecDirs = ["cdi"]\n`,
    );
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const build = (lines: string, ...flags: string[]) => {
    const context = world.context({
      Dockerfile: `# syntax=docker/dockerfile:1-labs\nFROM busybox\n${lines}\n`,
    });
    return world.kiln(["--config", config, "build", "--progress=plain", ...flags, context]);
  };

  it("has its variables, files, nodes and groups, and leaves nothing of them in the image", async () => {
    const outcome = await build(
      [
        "RUN --device=vendor.com/thing=one env | sort && cat /usr/lib/vendor/library && id -G \\",
        "  && head -c 4 /dev/thing | hexdump && head -c 4 /opt/thing | hexdump",
        "RUN test ! -s /usr/lib/vendor/library && test ! -c /opt/thing && test ! -e /dev/thing && echo gone",
      ].join("\n"),
      "--allow=device",
    );
    expect(outcome.status, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(
      /THING=one[\s\S]*VENDOR=yes[\s\S]*what the vendor ships[\s\S]*4242/,
    );
    expect(outcome.stderr.match(/0000000 0000 0000/g)).toHaveLength(2);
    expect(outcome.stderr).toContain("gone");
  });

  it("is refused without leave, and with leave for another", async () => {
    for (const flags of [[], ["--allow=device=vendor.com/thing=two"]]) {
      const outcome = await build("RUN --device=vendor.com/thing=one true", ...flags);
      expect(outcome.status).not.toBe(0);
      expect(outcome.stderr).toContain("[ENTITLEMENT_MISSING]");
    }
    const own = await build(
      "RUN --device=vendor.com/thing=two env",
      "--allow=device=vendor.com/thing=two",
    );
    expect(own.status, own.stderr).toBe(0);
    expect(own.stderr).toContain("THING=two");
  });

  it("fails where the device is required and not there, and runs without one that is not", async () => {
    const needed = await build(
      "RUN --device=vendor.com/thing=none,required true",
      "--allow=device",
    );
    expect(needed.stderr).toContain(
      'required CDI device "vendor.com/thing=none" is not registered',
    );
    const spared = await build("RUN --device=vendor.com/thing=none echo without", "--allow=device");
    expect(spared.status, spared.stderr).toBe(0);
    expect(spared.stderr).toContain("without");
  });
});
