// Package managers against their real mirrors on every rung: what users build with all day, and what meets every limit of a rung.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  debianContext,
  debianMirror,
  debianPlatforms,
} from "../../scripts/fixtures/debian-image.ts";
import { describeWith } from "../kit/needs.ts";
import {
  makeUser,
  type OrdinaryUser,
  prefixWays,
  userEnvironment,
  type Way,
  ways,
} from "../kit/ordinary-user.ts";
import { openWorld, type World } from "./world.ts";

const checkout = resolve(import.meta.dirname, "../..");
const command = join(checkout, "bin/kiln");
/** No test waits longer, in milliseconds. */
const patience = 280_000;

const native = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";
const foreign = native === "linux/arm64" ? "linux/amd64" : "linux/arm64";

/** Root, and an ordinary user on every rung, each for this machine's processor. */
const all: readonly (readonly [string, Way | undefined, string])[] = [
  ["root", undefined, native],
  ...ways.map((way) => [way.name, way, native] as const),
];
/** All take six minutes. With root's rights, with the rights of one id, and with none, is what differs most. */
const few = ["root", "userns with one uid", "proot"];
const everywhere = process.env["KILN_TEST_RUNGS"] === "all";
const rungs = everywhere ? all : all.filter(([name]) => few.includes(name));
if (!everywhere)
  console.warn(
    `skipped: package managers elsewhere than on ${few.join(", ")}: KILN_TEST_RUNGS=all`,
  );
/** By the kernel, and by proot inside of a container: the least and the most that emulation asks of a rung. */
const emulated: typeof all = [
  ...ways.slice(0, 1),
  ...(everywhere ? prefixWays.slice(0, 1) : []),
].map((way) => [way.name, way, foreign] as const);

/** Undefined where a mirror answers, else why what needs it is skipped. */
async function unreachable(address: string | undefined): Promise<string | undefined> {
  if (address === undefined) return "this machine has no package source of Debian's";
  try {
    const answer = await fetch(address, { method: "HEAD", signal: AbortSignal.timeout(10_000) });
    return answer.ok ? undefined : `${address} answers with status ${answer.status}`;
  } catch (error) {
    return `${address} does not answer: ${(error as Error).message}`;
  }
}

/** `body` where there is nothing to say against it, else a skip with the reason printed. */
function describeUnless(reason: string | undefined, name: string, body: () => void): void {
  if (reason !== undefined) console.warn(`skipped: ${name}: ${reason}`);
  describe.skipIf(reason !== undefined)(name, body);
}

const mirror = debianMirror();
const release = mirror && `${mirror.address}/dists/${mirror.release}/InRelease`;
const alpine =
  "https://dl-cdn.alpinelinux.org/alpine/v3.20/releases/x86_64/alpine-minirootfs-3.20.3-x86_64.tar.gz";
const noDebian = await unreachable(release);
const noNpm = noDebian ?? (await unreachable("https://registry.npmjs.org/is-odd"));
const noAlpine = await unreachable(alpine);

const aptfile = `FROM debian:bookworm
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openssh-client
RUN useradd --create-home app && ssh -V 2>/version && mkdir /srv/app && chown -R app:app /srv/app
USER app
RUN id -un > /tmp/who
`;

const npmfile = `FROM debian:bookworm
COPY node /usr/local/
ENV NODE_EXTRA_CA_CERTS=/usr/local/authorities.crt
WORKDIR /srv
RUN echo '{"name":"x","version":"1.0.0","dependencies":{"is-odd":"3.0.1"},"scripts":{"postinstall":"echo ran > made"}}' > package.json \\
 && npm install --no-audit --no-fund && node -p 'require("is-odd")(3)' > odd
`;

const apkfile = `FROM scratch
ADD --unpack=true ${alpine} /
RUN apk add --no-cache openssh-client && ssh -V 2>/version
`;

describeWith(
  ["root", "runtime", "registry", "bundle", "qemu", "busybox", "users"],
  "package managers",
  () => {
    let world: World;
    const seconds: string[] = [];
    beforeAll(async () => {
      world = await openWorld();
      chmodSync(world.directory, 0o755);
      if (mirror === undefined || noDebian !== undefined) return;
      const context = debianContext(join(checkout, ".kiln/fixtures"), mirror);
      const name = `${world.registry.address}/library/debian:bookworm`;
      const args = ["build", "--platform", debianPlatforms, "-t", name, "--push", context];
      const built = await world.kiln(args);
      expect(built.status, built.stderr).toBe(0);
    });
    afterAll(async () => {
      if (seconds.length > 0) console.info(["", ...seconds].join("\n"));
      await world?.[Symbol.asyncDispose]();
    });

    /** Builds as whoever stands on the rung; the image's files lie in the answered archive. */
    const build = (way: Way | undefined, platform: string, dockerfile: string, label: string) => {
      using user = way && makeUser(way);
      const directory = user?.home ?? join(world.directory, "root-home");
      const context = join(directory, "context");
      mkdirSync(context, { recursive: true });
      writeFileSync(join(context, "Dockerfile"), dockerfile);
      if (dockerfile === npmfile) copyNode(join(context, "node"));
      const tar = join(world.directory, `${label.replaceAll(/\W/g, "-")}.tar`);
      const args = ["build", "--progress", "plain", "--platform", platform];
      const began = [performance.now(), ofChildren()] as const;
      const { status, output } = run(user, way, [...args, "-o", "type=tar,dest=-", context], tar);
      expect(output).not.toMatch(/This is a bug/);
      expect(status, output).toBe(0);
      const wall = (performance.now() - began[0]) / 1000;
      const processor = ofChildren() - began[1];
      seconds.push(`${label}: ${processor.toFixed(1)} s of processor time, ${wall.toFixed(1)} s`);
      return filesOf(tar);
    };

    const run = (
      user: OrdinaryUser | undefined,
      way: Way | undefined,
      args: readonly string[],
      to: string,
    ) => {
      const script = 'to=$1; shift; exec "$@" >"$to"';
      const words = [...(user?.become ?? []), command, ...args];
      const built = spawnSync("sh", ["-c", script, "sh", to, ...words], {
        env: {
          ...(user && way ? userEnvironment(user, way) : process.env),
          ...(user ? {} : { KILN_ROOT: world.root, NO_COLOR: "1" }),
          KILN_CONFIG: join(world.directory, "kiln.toml"),
        },
        encoding: "utf8",
        timeout: patience,
        killSignal: "SIGKILL",
      });
      return { status: built.status, output: built.stderr };
    };

    describeUnless(noDebian, "apt", () => {
      it.each([...rungs, ...emulated])(
        "%s installs a package, adds a user and becomes it",
        (name, way, platform) => {
          using files = build(way, platform, aptfile, `apt, ${name}, ${platform}`);
          expect(files.text("version")).toMatch(/^OpenSSH/);
          const id = (file: string, who: string) =>
            new RegExp(`^${who}:[^:]*:(\\d+)`, "m").exec(files.text(`etc/${file}`))?.[1];
          const kept = keepsOwners(way);
          expect(files.owner("usr/bin/ssh-agent")).toBe(kept ? `0/${id("group", "_ssh")}` : "0/0");
          const app = `${id("passwd", "app")}/${id("group", "app")}`;
          expect(files.owner("srv/app/")).toBe(kept ? app : "0/0");
          expect(files.owner("tmp/who")).toBe(app);
          // With one id a step stays root, and only what it makes is the user's.
          const isUser = way === undefined || way.ranges || way.isolation === "proot";
          expect(files.text("tmp/who")).toBe(isUser ? "app\n" : "root\n");
        },
        patience + 20_000,
      );
    });

    describeUnless(noNpm, "npm", () => {
      it.each(rungs)(
        "%s installs a package and runs its scripts",
        (name, way, platform) => {
          using files = build(way, platform, npmfile, `npm, ${name}, ${platform}`);
          expect(files.text("srv/odd")).toBe("true\n");
          expect(files.text("srv/made")).toBe("ran\n");
        },
        patience + 20_000,
      );
    });

    describeUnless(noAlpine, "apk", () => {
      it.each(rungs)(
        "%s installs a package",
        (name, way) => {
          using files = build(way, "linux/amd64", apkfile, `apk, ${name}`);
          expect(files.text("version")).toMatch(/^OpenSSH/);
        },
        patience + 20_000,
      );
    });
  },
);

/** Where `chown` in RUN is forgotten (docs/isolation.md). */
function keepsOwners(way: Way | undefined): boolean {
  if (way?.isolation === "proot") return false;
  return way?.emulation === undefined || way.ranges;
}

/** Node.js of this machine with npm, and whom it trusts: mirrors may lie behind an inspecting proxy. */
function copyNode(to: string): void {
  const npm = execFileSync("npm", ["root", "--global"], { encoding: "utf8" }).trim();
  mkdirSync(join(to, "bin"), { recursive: true });
  cpSync(process.execPath, join(to, "bin/node"));
  cpSync(join(npm, "npm"), join(to, "lib/node_modules/npm"), { recursive: true });
  const start = '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n';
  writeFileSync(join(to, "bin/npm"), start, { mode: 0o755 });
  const trusted = "/etc/ssl/certs/ca-certificates.crt";
  writeFileSync(join(to, "authorities.crt"), existsSync(trusted) ? readFileSync(trusted) : "");
  execFileSync("chmod", ["-R", "a+rX", to]);
}

/** Texts and owners in an archive of files, which goes with it. */
function filesOf(tar: string) {
  const text = (path: string) =>
    execFileSync("tar", ["xOf", tar, path], { encoding: "utf8", maxBuffer: 64 << 20 });
  const owner = (path: string) => {
    const line = execFileSync("tar", ["tvf", tar, "--numeric-owner", "--no-recursion", path], {
      encoding: "utf8",
    });
    return line.split(/\s+/)[1];
  };
  return { text, owner, [Symbol.dispose]: () => rmSync(tar) };
}

/** Processor time of all children that have ended, in seconds; Linux counts it in hundredths. */
function ofChildren(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
