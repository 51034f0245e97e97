// Builds are remembered, looked at, taken along and forgotten.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const seconds = 1000;

describeWith(["root", "runtime", "registry", "bundle"], "the history of builds", () => {
  let world: World;
  let good: string;

  beforeAll(async () => {
    world = await openWorld();
    const context = world.context({ Dockerfile: "FROM busybox\nRUN echo a-word-of-the-step\n" });
    expect((await world.kiln(["build", "--target", "", context])).status).toBe(0);
    const bad = world.context({ Dockerfile: "FROM busybox\nRUN echo last words; exit 3\n" });
    expect((await world.kiln(["build", bad])).status).toBe(1);
    good = (await lines("ls", "--filter", "status=completed", "--format", "{{.Ref}}"))[0] ?? "";
  }, 120 * seconds);

  afterAll(() => world[Symbol.asyncDispose]());

  async function history(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await world.kiln(["history", ...args]);
    expect(status, stderr).toBe(0);
    return stdout;
  }

  const lines = async (...args: readonly string[]) =>
    (await history(...args)).split("\n").filter((line) => line !== "");

  it("lists builds, newest first, as a table, as JSON and by filters", async () => {
    expect((await lines("ls"))[0]).toMatch(/^BUILD ID +NAME +STATUS +CREATED AT +DURATION/);
    const documents = (await lines("ls", "--format", "json")).map((line) => JSON.parse(line));
    expect(documents[0]).toMatchObject({ status: "Error" });
    expect(documents.find(({ ref }) => ref === `embedded/embedded/${good}`)).toMatchObject({
      status: "Completed",
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(await lines("ls", "--filter", "status=error", "--format", "{{.Status}}")).toEqual([
      "Error",
    ]);
  });

  it("inspects a build by ref, by its beginning and by its place", async () => {
    const whole = await history("inspect", good);
    expect(whole).toContain("Attachments:");
    expect(await history("inspect", good.slice(0, 12))).toBe(whole);
    const failed = JSON.parse(await history("inspect", "--format", "json", "^0"));
    expect(failed).toMatchObject({ Status: "error", Error: { Logs: ["last words"] } });
  });

  it("prints provenance, the trace and the log of a build", async () => {
    const provenance = JSON.parse(
      await history("inspect", "attachment", "--type", "provenance", good),
    );
    expect(provenance.buildDefinition.resolvedDependencies[0].uri).toContain("busybox");
    const trace = JSON.parse(await history("trace", "--format", "json", good));
    const spans = trace.resourceSpans[0].scopeSpans[0].spans as readonly { name: string }[];
    expect(spans.some(({ name }) => name.includes("RUN echo"))).toBe(true);
    const { stderr } = await world.kiln(["history", "logs", good]);
    expect(stderr).toContain("a-word-of-the-step");
  });

  it("writes a page that asks for nothing from elsewhere", async () => {
    const [file = ""] = await lines("open", good);
    const page = readFileSync(file, "utf8");
    expect(page).toContain("a-word-of-the-step");
    expect(page).not.toMatch(/<script|src=|href=|https?:\/\/(?!slsa|github)/);
  });

  it(
    "exports builds, and takes them in elsewhere with all that belongs to them",
    async () => {
      const bundle = join(world.directory, "all.dockerbuild");
      await history("export", "--all", "-o", bundle);
      expect(statSync(bundle).size).toBeGreaterThan(500);
      const root = join(world.directory, "other");
      const other = (...args: readonly string[]) =>
        world.kiln(["--root", root, "history", ...args]);
      expect((await other("import", "-f", bundle)).stdout).toContain(good);
      expect((await other("logs", good)).stderr).toContain("a-word-of-the-step");
      const wrong = await world.kiln(["--root", root, "history", "import"], { input: "no bundle" });
      expect(wrong.status).toBe(1);
      expect(wrong.stderr).toContain("ARCHIVE_INVALID");
    },
    60 * seconds,
  );

  it("forgets builds", async () => {
    await history("rm", "--all");
    expect(await lines("ls", "--format", "{{.Ref}}")).toEqual([]);
    const { status, stderr } = await world.kiln(["history", "logs"]);
    expect(status).toBe(1);
    expect(stderr).toContain("RECORD_NOT_FOUND");
    expect(existsSync(join(world.root, "history", good))).toBe(false);
  });
});
