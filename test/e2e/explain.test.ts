// What a build says of itself: why steps ran, whole logs, no secrets, and every failure when it keeps going.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Explanation } from "../../src/api/index.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const dockerfile = `FROM busybox AS build
ARG VERSION=1
COPY src /src
RUN cat /src/* > /out && echo $VERSION
FROM busybox
COPY --from=build /out /out
RUN test -s /out
`;

describeWith(
  ["root", "runtime", "registry", "bundle", "emulation", "apt"],
  "explained builds",
  () => {
    let world: World;
    beforeAll(async () => {
      world = await openWorld();
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    const explain = async (
      context: string,
      ...more: string[]
    ): Promise<Map<string, Explanation>> => {
      const flags = ["--progress=none", "--explain=json", ...more];
      const { stdout, stderr, status } = await world.kiln(["build", ...flags, context]);
      expect(status, stderr).toBe(0);
      const { steps } = JSON.parse(stdout) as { steps: Explanation[] };
      return new Map(
        steps.map((step) => [/ (\d\/\d)\]/.exec(step.name)?.[1] + step.name[1]!, step]),
      );
    };

    it("tell for each step what is not as it was", async () => {
      const context = world.context({ Dockerfile: dockerfile, "src/a": "1", "src/b": "1" });
      const kinds = (steps: Map<string, Explanation>) =>
        Object.fromEntries(
          [...steps].map(([key, { reasons }]) => [key, reasons.map((r) => r.kind)]),
        );

      const first = await explain(context);
      expect(first.size).toBe(4);
      expect([...first.values()].every(({ reasons }) => reasons[0]?.kind === "new")).toBe(true);
      expect((await explain(context)).size).toBe(0);

      writeFileSync(join(context, "src/a"), "2");
      chmodSync(join(context, "src/b"), 0o600);
      const files = await explain(context);
      expect(kinds(files)).toEqual({
        "2/3b": ["files"],
        "3/3b": ["step"],
        "2/3s": ["files"],
        "3/3s": ["step"],
      });
      expect(files.get("2/3b")?.reasons[0]).toMatchObject({
        from: "context",
        changes: [
          { path: "src/a", old: { mode: "644" }, new: { mode: "644" } },
          { path: "src/b", old: { mode: "644" }, new: { mode: "600" } },
        ],
      });
      expect(files.get("2/3s")?.reasons[0]).toMatchObject({ changes: [{ path: "out" }] });

      // The same result as before: what is copied from it is found.
      const version = await explain(context, "--build-arg", "VERSION=2");
      expect(kinds(version)).toEqual({ "3/3b": ["definition"] });
      expect(version.get("3/3b")?.reasons[0]).toMatchObject({
        field: "variable VERSION",
        old: "1",
        new: "2",
      });

      writeFileSync(join(context, "Dockerfile"), dockerfile.replace("test -s", "test -f"));
      const command = await explain(context, "--build-arg", "VERSION=2");
      expect(command.get("3/3s")?.reasons).toMatchObject([
        { kind: "definition", field: "command", old: "test -s /out", new: "test -f /out" },
      ]);

      const uncached = await explain(
        context,
        "--build-arg",
        "VERSION=2",
        "--no-cache-filter=build",
      );
      expect(kinds(uncached)).toEqual({ "2/3b": ["no-cache"], "3/3b": ["no-cache"] });
    });

    it("tell that a base image has another digest", async () => {
      const base = `${world.registry.address}/explain/base:1`;
      const push = async (text: string) => {
        const context = world.context({ Dockerfile: "FROM busybox\nCOPY a /\n", a: text });
        expect((await world.kiln(["build", "-t", base, "--push", context])).status).toBe(0);
      };
      const context = world.context({ Dockerfile: `FROM ${base}\nRUN echo 1\n` });
      await push("1");
      await explain(context);
      await push("2");
      const [step] = (await explain(context, "--pull")).values();
      const [reason] = step?.reasons ?? [];
      expect(reason).toMatchObject({ kind: "image" });
      if (reason?.kind !== "image") return;
      expect(reason.old).not.toBe(reason.new);
      for (const one of [reason.old, reason.new]) expect(one).toMatch(`${base}@sha256:`);
    });

    it("tell that a result was pruned, and that a step failed the last time", async () => {
      const root = ["--root", join(world.directory, "pruned")];
      const context = world.context({ Dockerfile: "FROM busybox\nRUN echo pruned\n" });
      await explain(context, ...root);
      expect((await world.kiln(["prune", "-a", "-f", ...root])).status).toBe(0);
      const [pruned] = (await explain(context, ...root)).values();
      expect(pruned?.reasons).toEqual([{ kind: "pruned" }]);
      writeFileSync(join(context, "Dockerfile"), "FROM busybox\nRUN exit 3\n");
      const again = ["build", "--progress=none", "--explain=json", ...root, context];
      const kinds = [];
      for (let i = 0; i < 2; i++) {
        const { stdout } = await world.kiln(again);
        const { steps } = JSON.parse(stdout) as { steps: Explanation[] };
        kinds.push(steps.map(({ reasons }) => reasons.map(({ kind }) => kind)));
      }
      expect(kinds).toEqual([[["definition"]], [["failed"]]]);
    });

    it("begin cache mounts anew where steps are not cached, of all stages or of some", async () => {
      const context = world.context({
        Dockerfile: `FROM busybox AS first
RUN --mount=type=cache,target=/c echo x >> /c/log; wc -l < /c/log
FROM busybox
RUN echo second
COPY --from=first /bin/sh /x
`,
      });
      const counts: [string[], RegExp, boolean][] = [
        [[], /^#\d+ [\d.]+ 1$/m, true],
        [["--no-cache-filter=first"], /^#\d+ [\d.]+ 1$/m, false],
        [["--no-cache-filter=0"], /^#\d+ [\d.]+ 1$/m, false],
        [["--no-cache-filter=1"], /second\n#\d+ [\d.]+ second$/m, true],
        [["--no-cache"], /^#\d+ [\d.]+ 1$/m, true],
      ];
      for (const [flags, words, second] of counts) {
        const { stderr } = await world.kiln(["build", "--progress=plain", ...flags, context]);
        expect(stderr).toMatch(words);
        expect(/^#\d+ [\d.]+ second$/m.test(stderr), flags.join()).toBe(second);
      }
    });

    it("fail where all was to be cached, and push nothing", async () => {
      const name = `${world.registry.address}/explain/expected:1`;
      const context = world.context({ Dockerfile: "FROM busybox\nRUN echo expected\n" });
      const flags = ["build", "--expect-cached", "-t", name, "--push", context];
      const refused = await world.kiln(flags);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("STEP_NOT_CACHED");
      expect(refused.stderr).toContain("RUN echo expected");
      const tags = `http://${world.registry.address}/v2/explain/expected/tags/list`;
      expect((await fetch(tags)).status).toBe(404);
      expect((await world.kiln(flags)).status).toBe(0);
      expect((await fetch(tags)).status).toBe(200);
    });

    it("keep the whole log of a step, and say where it is when the step fails", async () => {
      const context = world.context({
        Dockerfile: "FROM busybox\nRUN seq 1 300000 && echo to-stderr >&2 && exit 3\n",
      });
      const { status, stderr } = await world.kiln(["build", "--progress=quiet", context]);
      expect(status).toBe(1);
      expect(stderr).toContain("300000\n");
      const path = /whole log: (\S+)/.exec(stderr)?.[1] ?? "";
      expect(path.startsWith(join(world.root, "logs"))).toBe(true);
      const lines = readFileSync(path, "utf8").trimEnd().split("\n");
      expect(lines).toHaveLength(300_001);
      expect([lines[0], lines.includes("to-stderr")]).toEqual(["1", true]);
    });

    it("never show a secret, in a log, in an error or on disk", async () => {
      const canary = "canary-7f3a91-secret";
      const context = world.context({
        Dockerfile:
          "FROM busybox\nRUN --mount=type=secret,id=key,env=KEY " +
          'echo "plain $KEY" && echo -n "user:$KEY" | base64 && ' +
          'for i in $(seq 1 20); do echo -n "$(echo $KEY | cut -c$i)"; done; echo; ' +
          `echo in-file && cat /run/secrets/key 2>/dev/null; false ${"$"}KEY\n`,
      });
      const modes = ["plain", "rawjson", "quiet"];
      for (const mode of modes) {
        const flags = ["--secret", "id=key,env=CANARY", `--progress=${mode}`];
        const { status, stdout, stderr } = await world.kiln(["build", ...flags, context], {
          env: { CANARY: canary },
        });
        expect(status).toBe(1);
        const logs = [...stderr.matchAll(/"data":"([^"]*)"/g)].map(([, data = ""]) => atob(data));
        for (const text of [stdout, stderr, logs.join("")]) {
          expect(text).not.toContain(canary);
          expect(text).not.toContain(btoa(`user:${canary}`).slice(4, 20));
        }
        if (mode === "plain") expect(stderr).toMatch(/plain \*\*\*/);
      }
      const kept = readdirSync(join(world.root, "logs"), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".log"))
        .map((name) => readFileSync(join(world.root, "logs", name), "latin1"));
      expect(kept.some((text) => text.includes("plain ***"))).toBe(true);
      expect(kept.join("")).not.toContain(canary);
    });

    describe("with failures", () => {
      const failing = `FROM busybox AS a
RUN echo in-a && exit 3
FROM busybox AS b
RUN sleep 1 && echo b-came-to-its-end
RUN exit 4
FROM busybox
COPY --from=a /x /
COPY --from=b /x /
`;

      it("go on elsewhere and tell all of them with --keep-going, and push nothing", async () => {
        const name = `${world.registry.address}/explain/going:1`;
        const context = world.context({ Dockerfile: failing });
        const { status, stderr } = await world.kiln([
          ...["build", "--progress=plain", "--keep-going", "-t", name, "--push"],
          context,
        ]);
        expect(status).toBe(1);
        expect(stderr).toContain("b-came-to-its-end");
        expect(stderr).toContain("exit code: 3");
        expect(stderr).toContain("exit code: 4");
        expect(stderr).toMatch(/Dockerfile:2\b/);
        expect(stderr).toMatch(/Dockerfile:5\b/);
        expect(stderr).not.toContain("CANCELED");
        const tags = `http://${world.registry.address}/v2/explain/going/tags/list`;
        expect((await fetch(tags)).status).toBe(404);
      });

      it("stop everything else without it, and say what was stopped", async () => {
        const context = world.context({ Dockerfile: failing.replace("sleep 1", "sleep 322") });
        const outcome = await world.kiln(["build", "--progress=plain", context]);
        expect(outcome.status).toBe(1);
        expect(outcome.seconds).toBeLessThan(60);
        expect(outcome.stderr).toMatch(/\[b 2\/3\] RUN sleep 322[\s\S]*CANCELED/);
        expect(outcome.stderr).toContain("exit code: 3");
        expect(outcome.stderr).not.toContain("exit code: 4");
      });

      it("of one platform do not stop another with --keep-going", async () => {
        const context = world.context({
          Dockerfile:
            "FROM busybox\nARG TARGETARCH\nRUN sleep 1 && echo was-$TARGETARCH && exit 5\n",
        });
        const flags = ["--keep-going", "--platform=linux/amd64,linux/arm64", "--progress=plain"];
        const { stderr } = await world.kiln(["build", ...flags, context]);
        expect(stderr).toContain("was-amd64");
        expect(stderr).toContain("was-arm64");
      });
    });
  },
);
