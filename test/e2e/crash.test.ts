// Crash safety: whenever a build is killed, or the disk fills up, the store stays whole and the next build goes on from there.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { type Outcome, openWorld, type World } from "./world.ts";

const rounds = Number(process.env["KILN_CRASH_ROUNDS"] ?? 10);
const seed = Number(process.env["KILN_CRASH_SEED"] ?? Date.now() % 1_000_000);

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const dockerfile = `FROM busybox AS tools
ARG ROUND
RUN mkdir /out && for i in $(seq 50); do echo "$ROUND $i" > /out/$i; done
RUN --mount=type=cache,target=/cache echo "$ROUND" >> /cache/log && cp /cache/log /out/log
FROM busybox
ARG ROUND
WORKDIR /app
COPY . .
RUN echo "$ROUND" > round && rm -f files/1
COPY --from=tools /out out
RUN ls -R . > list
`;

function contextFiles(): Readonly<Record<string, string>> {
  const files = Array.from({ length: 40 }, (_, i) => [`files/${i}`, "x".repeat(4096 + i)] as const);
  return { Dockerfile: dockerfile, ...Object.fromEntries(files) };
}

/** What the store itself finds wrong with it. */
function problemsOf(root: string): readonly string[] {
  const checkout = join(import.meta.dirname, "../..");
  const script = join(import.meta.dirname, "verify-store.ts");
  const said = execFileSync(join(checkout, "node_modules/.bin/tsx"), [script, root], {
    encoding: "utf8",
  });
  return JSON.parse(said) as readonly string[];
}

/** Processes that see anything below `root` mounted. */
function mountsLeft(root: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(`${root}/`);
    } catch {
      return false;
    }
  });
}

async function untilNothingIsMounted(root: string): Promise<readonly string[]> {
  for (let tries = 0; tries < 100; tries++) {
    if (mountsLeft(root).length === 0) return [];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return mountsLeft(root).map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"));
}

/** Names of RUN, COPY and WORKDIR steps that ended in that way. */
function stepsThat(ended: "DONE" | "CACHED", { stderr }: Outcome): readonly string[] {
  const names = new Map<string, string>();
  const found: string[] = [];
  for (const line of stderr.split("\n")) {
    const [, number = "", rest = ""] = /^#(\d+) (.*)$/.exec(line) ?? [];
    const name = /^\[[^\]]*\] ((RUN|COPY|WORKDIR) .*)$/.exec(rest)?.[1];
    if (name !== undefined) names.set(number, name);
    if (rest.startsWith(ended)) found.push(names.get(number) ?? "");
  }
  return found.filter(Boolean);
}

/** What processes leave for others to see: unfinished files and leases. Sweeping goes on while the next one works. */
function leftovers(root: string): readonly string[] {
  const folders = ["snapshots/active", "snapshots/leases", "content/ingest", "content/leases"];
  return folders.flatMap((folder) => {
    try {
      return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
    } catch {
      return [];
    }
  });
}

describeWith(["root", "runtime", "registry", "bundle"], "a build", () => {
  let world: World;
  let context: string;
  beforeAll(async () => {
    world = await openWorld();
    context = world.context(contextFiles());
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const args = (round: string, more: readonly string[] = []) => [
    "build",
    "--progress",
    "plain",
    "--build-arg",
    `ROUND=${round}`,
    "-t",
    `${world.registry.address}/crash:latest`,
    "--push",
    ...more,
    context,
  ];

  it(
    `is killed at ${rounds} moments, and never harms the store`,
    async () => {
      const root = join(world.directory, "killed");
      const env = { KILN_ROOT: root };
      const random = randomFrom(seed);
      const whole = await world.kiln(args("first"), { env });
      expect(whole.status, whole.stderr).toBe(0);
      let shortest = whole.seconds;
      let killed = 0;
      let kept = 0;
      for (let round = 0; round < rounds; round++) {
        const what = `seed ${seed}, round ${round}`;
        if (round % 3 === 0) rmSync(root, { recursive: true, force: true });
        const after = random() * shortest * 1000;
        const outcome = await world.kiln(args(`${round}`), {
          env,
          started: (child) => setTimeout(() => child.kill("SIGKILL"), after).unref(),
        });
        if (outcome.signal === "SIGKILL") killed++;
        else expect(outcome.status, `${what}: ${outcome.stderr}`).toBe(0);
        expect(await untilNothingIsMounted(root), what).toEqual([]);
        expect(problemsOf(root), what).toEqual([]);
        const again = await world.kiln(args(`${round}`), { env });
        expect(again.status, `${what}: ${again.stderr}`).toBe(0);
        if (round % 3 === 0 && outcome.signal === null)
          shortest = Math.min(shortest, outcome.seconds);
        const committed = [...stepsThat("DONE", outcome), ...stepsThat("CACHED", outcome)];
        kept += committed.length;
        expect(stepsThat("CACHED", again), what).toEqual(expect.arrayContaining(committed));
        expect(leftovers(root), what).toEqual([]);
        expect(problemsOf(root), what).toEqual([]);
      }
      console.log(`${killed} of ${rounds} builds killed, ${kept} committed steps found cached`);
      expect(killed).toBeGreaterThan(rounds / 3);
    },
    120_000 + rounds * 30_000,
  );

  it(
    `meets a full disk at ${rounds} moments, says so, and never harms the store`,
    async () => {
      const root = join(world.directory, "full");
      const env = { KILN_ROOT: root };
      const random = randomFrom(seed + 1);
      mkdirSync(root);
      // A whole build takes about 3 MB.
      const most = 3.5 * 1024;
      let failed = 0;
      for (let round = 0; round < rounds; round++) {
        const size = Math.floor(600 + random() * most);
        const what = `seed ${seed}, round ${round}, ${size} kB`;
        execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}k,mode=700`, "tiny", root]);
        try {
          const outcome = await world.kiln(args(`${round}`), { env });
          if (outcome.status !== 0) {
            failed++;
            // Kiln says so itself, or shows what a step's program said.
            expect(outcome.stderr, what).toMatch(/\[DISK_FULL\]|: No space left on device/);
            expect(outcome.stderr, what).not.toContain("This is a bug in Kiln");
          }
          expect(problemsOf(root), what).toEqual([]);
          execFileSync("mount", ["-o", "remount,size=256m", root]);
          const again = await world.kiln(args(`${round}`), { env });
          expect(again.status, `${what}: ${again.stderr}`).toBe(0);
          expect(problemsOf(root), what).toEqual([]);
        } finally {
          execFileSync("umount", [root]);
        }
      }
      console.log(`${failed} of ${rounds} builds met a full disk`);
      expect(failed).toBeGreaterThan(rounds / 5);
    },
    120_000 + rounds * 30_000,
  );
});
