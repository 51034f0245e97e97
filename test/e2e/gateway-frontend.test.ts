// Frontends in images: `# syntax=` of an image that Kiln does not know, what it may ask for, and what it may not.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { frontendContext } from "../kit/frontend-image.ts";
import { describeWith } from "../kit/needs.ts";
import { type Outcome, openWorld, type World } from "./world.ts";

const minutes = 60_000;

describeWith(["root", "runtime", "registry", "bundle"], "frontends in images", () => {
  let world: World;
  let frontend: string;

  beforeAll(async () => {
    world = await openWorld();
    frontend = `${world.registry.address}/frontend:latest`;
    const context = await frontendContext(world.directory);
    const pushed = await world.kiln(["build", "-t", frontend, "--push", context]);
    expect(pushed.status, pushed.stderr).toBe(0);
  }, 2 * minutes);

  afterAll(() => world[Symbol.asyncDispose]());

  const build = (commands: string, ...args: readonly string[]): Promise<Outcome> =>
    world.kiln([
      "build",
      ...args,
      world.context({ Dockerfile: `# syntax=${frontend}\n${commands}\n`, note: "a note\n" }),
    ]);

  const built = async (commands: string, ...args: readonly string[]): Promise<string> => {
    const out = join(world.directory, `out-${Math.random().toString(36).slice(2)}`);
    const { status, stderr } = await build(commands, "-o", out, ...args);
    expect(status, stderr).toBe(0);
    return out;
  };

  it("reads the file, solves and returns a result", async () => {
    const out = await built("FILE /greeting hello from the image");
    expect(readFileSync(join(out, "greeting"), "utf8")).toBe("hello from the image\n");
  });

  it("is told the options of the build", async () => {
    const out = await built("OPTION build-arg:WHO", "--build-arg", "WHO=world");
    expect(readFileSync(join(out, "build-arg:WHO"), "utf8")).toBe("world");
  });

  it("is chosen by BUILDKIT_SYNTAX too", async () => {
    const context = world.context({ Dockerfile: "FILE /greeting chosen\n" });
    const out = join(world.directory, "chosen");
    const { status, stderr } = await world.kiln([
      "build",
      "--build-arg",
      `BUILDKIT_SYNTAX=${frontend}`,
      "-o",
      out,
      context,
    ]);
    expect(status, stderr).toBe(0);
    expect(readFileSync(join(out, "greeting"), "utf8")).toBe("chosen\n");
  });

  it("reads the context of its own target of a bake", async () => {
    const targets = ["one", "two"];
    const files = targets.flatMap((name) => [
      [`${name}/Dockerfile`, `# syntax=${frontend}\nCONTEXT note\n`],
      [`${name}/note`, `of ${name}\n`],
    ]);
    const target = (name: string) => ({ context: name, output: [`type=local,dest=out/${name}`] });
    const bake = {
      group: { default: { targets } },
      target: Object.fromEntries(targets.map((name) => [name, target(name)])),
    };
    const directory = world.context({
      ...Object.fromEntries(files),
      "docker-bake.json": JSON.stringify(bake),
    });
    const { status, stderr } = await world.kiln(["bake"], { cwd: directory });
    expect(status, stderr).toBe(0);
    const notes = targets.map((name) => readFileSync(join(directory, "out", name, "note"), "utf8"));
    expect(notes).toEqual(["of one\n", "of two\n"]);
  });

  it("runs processes in containers of its own", async () => {
    const out = await built("EXEC echo $WHO; exit 5");
    expect(readFileSync(join(out, "said"), "utf8")).toBe("frontend\nexit 5\n");
  });

  it("hands over to the built-in frontend", async () => {
    const context = world.context({
      Dockerfile: `# syntax=${frontend}\nFORWARD inner.Dockerfile\n`,
      "inner.Dockerfile": "FROM scratch\nCOPY note /copied\n",
      note: "a note\n",
    });
    const out = join(world.directory, "forwarded");
    const { status, stderr } = await world.kiln(["build", "-o", out, context]);
    expect(status, stderr).toBe(0);
    expect(readFileSync(join(out, "copied"), "utf8")).toBe("a note\n");
  });

  it.each([
    ["returns a result that is not its own", "STRANGER", /no such ref/],
    ["ends without a result", "SILENT", /ended with exit code 0 before it returned a result/],
    ["returns an error and dies of it", "REFUSE no such thing", /error: .*no such thing/],
    ["crashes", "CRASH", /exit code 7 before it returned a result:\s+cannot go on/],
    ["says what is no protocol", "GARBAGE", /FRONTEND_FAILED/],
    ["asks for more than there is", "FILE /a b\nFLOOD", /more than 10000 results/],
  ])(
    "one that %s fails the build, with what happened",
    async (_what, command, message) => {
      const { status, stderr } = await build(command);
      expect(status).toBe(1);
      expect(stderr).toMatch(message);
    },
    2 * minutes,
  );

  it(
    "one that never ends is ended with the build",
    async () => {
      const waiting = await world.kiln(
        [
          "build",
          "--progress=plain",
          world.context({ Dockerfile: `# syntax=${frontend}\nNEVER\n` }),
        ],
        { started: (child) => void setTimeout(() => child.kill("SIGINT"), 6000) },
      );
      expect(waiting.status).not.toBe(0);
      expect(waiting.seconds).toBeLessThan(20);
    },
    minutes,
  );

  it(
    "an image that is no frontend is named",
    async () => {
      const context = world.context({ Dockerfile: "# syntax=docker.io/library/busybox\nFROM x\n" });
      const { status, stderr } = await world.kiln(["build", context]);
      expect(status).toBe(1);
      expect(stderr).toContain("docker.io/library/busybox");
      expect(stderr).toContain("FRONTEND_FAILED");
    },
    minutes,
  );
});
