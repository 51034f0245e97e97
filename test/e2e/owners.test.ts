// Owners that steps give to files, where the user who builds has no ids but one: the image has them all the same.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { makeUser, type OrdinaryUser, userEnvironment, type Way } from "../kit/ordinary-user.ts";
import { openWorld, type World } from "./world.ts";

const command = resolve(import.meta.dirname, "../../bin/kiln");

const rungs: readonly Way[] = ["userns", "userns-fuse", "userns-copy"].map((isolation) => ({
  name: isolation,
  isolation,
  ranges: false,
}));

const dockerfile = `FROM busybox AS made
RUN mkdir -p /a/below /a/back /b/c && touch /a/file /a/below/file /a/second /a/linked /b/set /b/alone \\
 && chown -R 5:6 /a/below && chown 7:8 /a/file && chgrp 9 /a/second \\
 && cd /b/c && chown 10:11 ../../a/back . && chown 3:4 /b/alone \\
 && ln -s /a/linked /b/link && chown 12:13 /b/link \\
 && ln -s ../../../../../../a/up /b/out && touch /a/up && chown 14:15 /b/out \\
 && chmod 4755 /b/set && chown 16:17 /b/set
RUN chown 0:0 /a/below/file && chown 3000000000:4000000000 /a/second
RUN mkdir /staff && chown 0:50 /staff && chmod 2775 /staff
RUN echo x > /staff/inherits && mkdir /staff/sub
RUN chown 1:1 /missing; test $? = 1 && chown 1:1 /proc/self/status /dev/null; chown 1:1 /etc/hosts; true
USER 1000:1001
RUN mkdir /tmp/own && echo x > /tmp/own/file
FROM busybox
COPY --from=made /a /a
COPY --from=made --chown=20:21 /b /b
`;

const made: Readonly<Record<string, string>> = {
  "a/below/": "5/6",
  "a/file": "7/8",
  "a/back/": "10/11",
  "b/c/": "10/11",
  "b/alone": "3/4",
  "a/linked": "12/13",
  "a/up": "14/15",
  "b/set": "16/17",
  "a/below/file": "0/0",
  "a/second": "3000000000/4000000000",
  "staff/inherits": "0/50",
  "staff/sub/": "0/50",
  "tmp/own/": "1000/1001",
  "tmp/own/file": "1000/1001",
};

describeWith(
  ["root", "runtime", "registry", "bundle", "qemu", "busybox", "users"],
  "owners of files with one user",
  () => {
    let world: World;
    let user: OrdinaryUser;
    beforeAll(async () => {
      world = await openWorld();
      chmodSync(world.directory, 0o755);
      user = makeUser({ ranges: false });
      mkdirSync(join(user.home, "context"));
      writeFileSync(join(user.home, "context/Dockerfile"), dockerfile);
    });
    afterAll(async () => {
      user?.[Symbol.dispose]();
      await world?.[Symbol.asyncDispose]();
    });

    const build = (way: Way, ...args: readonly string[]) => {
      const [program = "", ...words] = [...user.become, command, "build", "--progress", "plain"];
      const built = spawnSync(program, [...words, ...args], {
        env: {
          ...userEnvironment(user, way),
          KILN_CONFIG: join(world.directory, "kiln.toml"),
          KILN_ROOT: join(user.home, `state-${way.name}`),
        },
        cwd: user.home,
        encoding: "utf8",
        timeout: 280_000,
      });
      return { status: built.status, output: built.stdout + built.stderr };
    };

    /** The last that any layer says about each file: mode and owner. */
    const filesOf = (way: Way, ...args: readonly string[]) => {
      const tar = join(user.home, "out.tar");
      const { status, output } = build(way, ...args, "-o", `type=docker,dest=${tar}`);
      expect(status, output).toBe(0);
      return lastOf(tar);
    };

    it.each(rungs)("$name: what RUN gives away is kept, and what COPY takes along", (way) => {
      const context = join(user.home, "context");
      const files = filesOf(way, "--target", "made", context);
      const found = Object.keys(made).map((path) => [path, files.get(path)?.owner]);
      // fuse-overlayfs itself loses the bit by which directories hand their group on.
      const expected = Object.entries(made).filter(
        ([path]) => way.name !== "userns-fuse" || !path.startsWith("staff/"),
      );
      expect(Object.fromEntries(found)).toMatchObject(Object.fromEntries(expected));
      expect(files.get("b/set")?.mode).toBe("-rwxr-xr-x");
      const copied = filesOf(way, context);
      expect(copied.get("a/below/")?.owner).toBe("5/6");
      expect(copied.get("a/linked")?.owner).toBe("12/13");
      expect(copied.get("b/alone")?.owner).toBe("20/21");
      // Nothing of the machine's own user is in the image.
      for (const { owner } of [...files.values(), ...copied.values()])
        expect(owner).not.toContain(String(user.uid));
    });

    it("emulated steps give files away as well, several at once", () => {
      const context = join(user.home, "emulated");
      mkdirSync(context);
      const stages = [1, 2, 3].map(
        (id) => `FROM busybox AS s${id}\nRUN touch /f${id} && chown ${id}:${id} /f${id}\n`,
      );
      const copies = [1, 2, 3].map((id) => `COPY --from=s${id} /f${id} /\n`);
      writeFileSync(
        join(context, "Dockerfile"),
        `${stages.join("")}FROM busybox\n${copies.join("")}`,
      );
      const [way] = rungs;
      if (way === undefined) throw new Error("no rung");
      const files = filesOf(way, "--platform", "linux/arm64", context);
      expect([1, 2, 3].map((id) => files.get(`f${id}`)?.owner)).toEqual(["1/1", "2/2", "3/3"]);
    });

    it("a storm of calls, killed and cut short, neither stops the build nor outlives it", () => {
      const context = join(user.home, "storm");
      mkdirSync(context);
      const long = `/${"x".repeat(200)}`.repeat(30);
      writeFileSync(
        join(context, "Dockerfile"),
        `FROM busybox
RUN for i in 1 2 3 4; do (while :; do chown $i:$i /etc/passwd /gone ${long}; done) & done; \\
 sleep 1; kill -9 -1; true
RUN ln -s loop /loop; chown 1:1 /loop/x; test $? = 1 && chown 2:2 /etc/group
`,
      );
      const [way] = rungs;
      if (way === undefined) throw new Error("no rung");
      const { output } = build(way, context);
      expect(output).not.toMatch(/This is a bug/);
      writeFileSync(
        join(context, "Dockerfile"),
        "FROM busybox\nRUN (while :; do chown 1:1 /etc/passwd; done) 2>/dev/null & sleep 1\nRUN chown 2:2 /etc/group\n",
      );
      const files = filesOf(way, context);
      expect(files.get("etc/group")?.owner).toBe("2/2");
    });
  },
);

interface Listed {
  readonly mode: string;
  readonly owner: string;
}

function lastOf(tar: string): ReadonlyMap<string, Listed> {
  const script = `cd "$(mktemp -d)" && tar xf "$1" && sed 's/.*"Layers":\\[\\([^]]*\\)\\].*/\\1/; s/"//g; s/,/\\n/g' manifest.json | while read -r layer || [ -n "$layer" ]; do tar tvf "$layer" --numeric-owner; done; rm -rf "$PWD"`;
  const text = execFileSync("sh", ["-c", script, "sh", tar], { encoding: "utf8" });
  return new Map(
    text.split("\n").flatMap((line) => {
      const [mode = "", owner = "", , , , path = ""] = line.split(/\s+/);
      return path === "" ? [] : [[path, { mode, owner }] as const];
    }),
  );
}
