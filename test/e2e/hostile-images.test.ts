// Images and Dockerfiles that reach for the host by links, devices and names: nothing outside of the build is touched.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { needsOf, prefixWays, ways } from "../kit/ordinary-user.ts";
import type { TarSpec } from "../kit/tar.ts";
import { type HostileWorld, openHostileWorld } from "./hostile-world.ts";

const climb = "../../../../../../../../../../../..";

/** Root, and an ordinary user on every rung. */
const standings = [undefined, ...ways, ...prefixWays];

describe.each(standings.map((way) => ({ who: way?.name ?? "root", way })))("as $who", ({ way }) => {
  describeWith(needsOf(way), "hostile images", () => {
    let world: HostileWorld;
    let before: string;
    beforeAll(async () => {
      world = await openHostileWorld(way);
      before = world.fingerprint();
    });
    afterAll(() => world?.[Symbol.asyncDispose]());
    afterEach(() => expect(world.fingerprint()).toBe(before));

    /** Links out of the image, absolute and climbing. */
    const linksOut = (): readonly TarSpec[] => [
      { path: "link", linkname: world.canary },
      { path: "climbing", linkname: `${climb}${world.canary}` },
      { path: "tofile", linkname: join(world.canary, "file") },
    ];

    describe("with links that lead out", () => {
      it.each([
        "COPY data /link/file",
        "COPY data /link/sub/new",
        "COPY data /climbing/",
        "COPY data /tofile",
        "COPY . /link/",
        "COPY --chown=7:7 --chmod=777 . /climbing",
        "COPY <<EOF /tofile\nevil\nEOF",
        "COPY <<EOF /link/file\nevil\nEOF",
        "ADD archive.tar /link/",
        "WORKDIR /link/made",
        "WORKDIR /climbing/sub",
        "WORKDIR /link/made\nRUN touch here && mkdir below && chmod 777 .",
        "WORKDIR /link\nCOPY data .\nRUN ls /link/data",
      ])("writes inside only: %s", async (instructions) => {
        const name = world.image(linksOut());
        const { status, output } = await world.build(`FROM ${name}\n${instructions}\n`, {
          data: "evil",
          "archive.tar": "no archive",
        });
        expect(output).not.toMatch(/INTERNAL|\n\s+at .*:\d+:\d+\)/);
        expect(status).toBe(0);
      });

      it.each(["/link/file", "/tofile", "/climbing/file", "/link", `${climb}/etc/hostname`])(
        "COPY --from finds nothing of the host at %s",
        async (source) => {
          const name = world.image(linksOut());
          const { status, output } = await world.build(
            `FROM ${name} AS evil\nFROM scratch\nCOPY --from=evil ${source} /got\n`,
          );
          expect(status).toBe(1);
          expect(output).toContain("not found");
        },
      );

      it("are exported as links, and a second export does not go through them", async () => {
        const dest = join(world.directory, "exported");
        const output = `type=local,dest=${dest}`;
        const link = world.image([{ path: "way", linkname: world.canary }]);
        const first = await world.build(
          `FROM scratch\nCOPY --from=${link} /way /way\n`,
          {},
          "-o",
          output,
        );
        expect(first.output).toContain("not found");
        const whole = await world.build(`FROM ${link}\n`, {}, "-o", output);
        expect(whole.status).toBe(0);
        const directory = world.image([
          { path: "way/", mode: 0o777 },
          { path: "way/file", data: "evil", mode: 0o777 },
          { path: "way/new", data: "evil" },
        ]);
        const second = await world.build(`FROM ${directory}\n`, {}, "-o", output);
        expect(second.status).toBe(0);
        expect(readFileSync(join(dest, "way/new"), "utf8")).toBe("evil");
      });
    });

    it.each([
      ["file", [{ path: "canary/file", data: "evil" }]],
      ["climbing file", [{ path: `${climb}/tmp/kiln-escaped`, data: "evil" }]],
      ["hard link", [{ path: "l", type: "hardlink", linkname: `${climb}/etc/passwd` }]],
      ["whiteout", [{ path: `${climb}/tmp/.wh..wh..opq` }]],
    ] as const)("a layer with a %s that climbs stays inside", async (_what, layer) => {
      await world.build(`FROM ${world.image(layer)}\nRUN true\n`);
      expect(existsSync("/tmp/kiln-escaped")).toBe(false);
    });

    describe("with accounts that are no accounts", () => {
      const accounts: readonly (readonly [string, TarSpec])[] = [
        ["a link to a device", { path: "etc/passwd", linkname: "/dev/zero" }],
        ["a device", { path: "etc/passwd", type: "char-device", devMajor: 1, devMinor: 5 }],
        ["a FIFO", { path: "etc/passwd", type: "fifo" }],
        [
          "a link to the host's",
          { path: "etc/passwd", linkname: `${climb}/proc/1/root/etc/passwd` },
        ],
        ["a circle", { path: "etc/passwd", linkname: "passwd" }],
      ];
      it.each(accounts)("passwd is %s", async (_what, passwd) => {
        const name = world.image([passwd]);
        const chown = await world.build(
          `FROM ${name}\nCOPY --chown=nobody data /\nRUN ls -ln /data\n`,
          { data: "" },
        );
        const user = await world.build(`FROM ${name}\nUSER nobody\nRUN id\n`);
        expect(user.status).toBe(1);
        expect(chown.output).not.toContain("65534");
        for (const { output, seconds, processor, memory } of [chown, user]) {
          expect(output).not.toMatch(/This is a bug in Kiln/);
          // What a machine that is busy otherwise takes is not Kiln's doing.
          expect(processor).toBeLessThan(10);
          expect(seconds).toBeLessThan(60);
          expect(memory).toBeLessThan(400 << 20);
        }
      });

      it("passwd and group of 20 GB are refused and not read", async () => {
        const dockerfile = (user: string) =>
          `FROM ${world.image()}\nRUN mkdir /etc; truncate -s 20G /etc/passwd; truncate -s 20G /etc/group\n${user}\n`;
        for (const user of ["USER nobody\nRUN id", "COPY --chown=nobody data /"]) {
          const { status, output, memory, seconds } = await world.build(dockerfile(user), {
            data: "",
          });
          expect(status).toBe(1);
          expect(output).toMatch(/larger than|has \d+ bytes/);
          expect(memory).toBeLessThan(400 << 20);
          expect(seconds).toBeLessThan(30);
        }
      });
    });

    describe("with devices and FIFOs in the way", () => {
      const nodes: readonly TarSpec[] = [
        { path: "disk", type: "block-device", devMajor: 7, devMinor: 0, mode: 0o666 },
        { path: "control", type: "char-device", devMajor: 10, devMinor: 237, mode: 0o666 },
        { path: "null", type: "char-device", devMajor: 1, devMinor: 3, mode: 0o666 },
        { path: "pipe", type: "fifo", mode: 0o666 },
      ];

      it("COPY replaces them, and never opens one", async () => {
        const name = world.image(nodes);
        const heredocs = ["disk", "null", "pipe"].map((path) => `COPY <<EOF /${path}\nmine\nEOF`);
        const { status, seconds, output } = await world.build(
          `FROM ${name}\n${heredocs.join("\n")}\nCOPY data /control\nRUN cat /disk /null /pipe /control && test -f /pipe\n`,
          { data: "mine\n" },
        );
        expect(status).toBe(0);
        expect(output.match(/ mine$/gm)).toHaveLength(4);
        expect(seconds).toBeLessThan(20);
      });

      it("steps cannot open those of the image", async () => {
        const { status, output } = await world.build(
          `FROM ${world.image(nodes)}\nRUN for n in disk control null; do test -e /$n && (exec 3</$n) && echo opened $n; done; true\n`,
        );
        expect(status).toBe(0);
        expect(output).not.toMatch(/^#\d+ [\d.]+ opened/m);
        // A user namespace cannot have them at all, so they are left out.
        expect(output.match(/can't open/g) ?? []).toHaveLength(way === undefined ? 3 : 0);
      });

      it("they are copied as what they are", async () => {
        const name = world.image(nodes);
        const { status, output } = await world.build(
          `FROM ${name} AS evil\nFROM ${world.image()}\nCOPY --from=evil /disk /pipe /to/\nRUN test -b /to/disk && test -p /to/pipe && ! dd if=/to/disk count=1\n`,
        );
        expect(output).toContain(way === undefined ? "Permission denied" : "not found");
        expect(status).toBe(way === undefined ? 0 : 1);
      });
    });

    it("an export to a directory of the host makes nothing but what the image has", async () => {
      const dest = world.context({});
      const name = world.image([{ path: `${climb}${world.canary}/file`, data: "evil" }]);
      const built = await world.build(`FROM ${name}\n`, {}, "-o", `type=local,dest=${dest}`);
      expect(built.status).toBe(0);
      expect(readFileSync(join(dest, world.canary, "file"), "utf8")).toBe("evil");
    });
  });
});
