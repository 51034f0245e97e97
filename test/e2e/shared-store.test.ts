// What a build does not do: download what no step reads, ask for what nobody needs, or do again what another process is doing.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { startRegistry, type TestRegistry } from "../kit/registry.ts";
import { type Outcome, openWorld, type World } from "./world.ts";

describeWith(["root", "runtime", "registry", "bundle"], "a store", () => {
  let world: World;
  let registry: TestRegistry;
  beforeAll(async () => {
    world = await openWorld();
    registry = await startRegistry();
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const done = (outcome: Outcome): Outcome => {
    expect(outcome.status, outcome.stderr).toBe(0);
    return outcome;
  };

  describe("of an image whose files are not needed", () => {
    let base: string;
    let roots = 0;

    /** Builds with a new store; answers what was read of the registry meanwhile, by method and path. */
    const build = async (dockerfile: string, ...more: readonly string[]) => {
      const context = world.context({ Dockerfile: dockerfile, file: "file" });
      const before = registry.requests.length;
      const root = join(world.directory, `lazy-${++roots}`);
      const env = { KILN_ROOT: root };
      const args = ["build", "--progress", "plain", ...more, context];
      done(await world.kiln(args, { env }));
      const asked = registry.requests.slice(before).map(({ method, path }) => `${method} ${path}`);
      const read = asked.filter((one) => one.startsWith("GET"));
      return { asked, read, root };
    };

    beforeAll(async () => {
      base = `${registry.host}/base:1`;
      const context = world.context({
        Dockerfile: "FROM busybox\nCOPY large /large\nCOPY small /small\n",
        large: "l".repeat(300_000),
        small: "s",
      });
      const platforms = ["--platform", "linux/amd64,linux/arm64"];
      done(await world.kiln(["build", ...platforms, "-t", base, "--push", context]));
    }, 120_000);

    it("has none of its layers, whatever is set, labelled and exported to where they are", async () => {
      const dockerfile = `FROM ${base}\nENV A=b\nLABEL c=d\nCMD ["x"]\n`;
      const { read, asked, root } = await build(dockerfile, "-t", `${base}-labelled`, "--push");
      expect(asked.some((one) => one.startsWith("PUT"))).toBe(true);
      const blobs = read.filter((one) => one.includes("/blobs/"));
      // The configuration and nothing else.
      expect(blobs).toHaveLength(1);
      expect(readdirSync(join(root, "snapshots/layers"))).toEqual([]);
    });

    it("asks for nothing of stages that lead nowhere", async () => {
      const { asked } = await build(
        `FROM ${base} AS unused\nRUN false\nFROM ${base.replace("base", "absent")} AS absent\nFROM scratch\nCOPY file /\n`,
      );
      expect(asked).toEqual([]);
    });

    it("reads the layers of one platform, each once, when a step needs files", async () => {
      const { read } = await build(`FROM ${base}\nRUN test -s /large\nRUN test -s /small\n`);
      const blobs = read.filter((one) => one.includes("/blobs/"));
      expect(new Set(blobs).size).toBe(blobs.length);
      // A configuration, the base's own layer, and the two of this platform.
      expect(blobs).toHaveLength(4);
      expect(read.filter((one) => one.includes("/manifests/")).length).toBeLessThanOrEqual(2);
    });
  });

  describe("that several processes use at once", () => {
    it("runs each step once, and all of them get the same", async () => {
      const root = join(world.directory, "shared");
      const env = { KILN_ROOT: root };
      const context = world.context({
        Dockerfile:
          "FROM busybox AS one\nRUN sleep 1 && head -c 9 /dev/urandom | od -x > /one\nFROM busybox AS two\nRUN sleep 1 && head -c 9 /dev/urandom | od -x > /two\nFROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n",
      });
      const processes = 6;
      const outcomes = await Promise.all(
        Array.from({ length: processes }, (_, at) => {
          const output = `type=local,dest=${join(world.directory, `shared-${at}`)}`;
          return world.kiln(["build", "--progress", "plain", "-o", output, context], { env });
        }),
      );
      const ran = outcomes.flatMap((outcome) => stepsThatRan(done(outcome)));
      expect(ran.filter((name) => name.includes("RUN")).sort()).toEqual([
        expect.stringContaining("> /one"),
        expect.stringContaining("> /two"),
      ]);
      const files = new Set(
        outcomes.map((_, at) => filesOf(join(world.directory, `shared-${at}`))),
      );
      expect(files.size).toBe(1);
    });
  });
});

/** Names of steps that ended otherwise than by being found in the cache. */
function stepsThatRan({ stderr }: Outcome): readonly string[] {
  const names = new Map<string, string>();
  const ran: string[] = [];
  for (const line of stderr.split("\n")) {
    const [, number = "", rest = ""] = /^#(\d+) (.*)$/.exec(line) ?? [];
    if (rest.startsWith("[")) names.set(number, rest);
    if (rest.startsWith("DONE")) ran.push(names.get(number) ?? "");
  }
  return ran;
}

/** Names and contents of a directory's files, as one text. */
function filesOf(directory: string): string {
  const names = readdirSync(directory).sort();
  return names.map((name) => `${name} ${readFileSync(join(directory, name), "utf8")}`).join("\n");
}
