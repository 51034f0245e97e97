// What every builder does, whoever it is and wherever: the engine itself, or a client of a daemon in front of one.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type {
  BuildEvent,
  Builder,
  BuildRequest,
  BuildResult,
  Session,
} from "../../src/api/index.ts";
import { abortReason, type Call, readAll, uncancelled } from "../../src/base/index.ts";
import { readTar } from "../../src/formats/archive/index.ts";
import { shareDirectory } from "../../src/storage/directory/index.ts";
import { extractTar } from "../../src/storage/snapshot/index.ts";

/** Opens a builder whose state is in `root`. */
export type OpenBuilder = (root: string) => Promise<Builder>;

export function builderContract(open: OpenBuilder): void {
  let root: string;
  let builder: Builder;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "kiln-builder-"));
    mkdirSync(join(root, "context/sub"), { recursive: true });
    writeFileSync(join(root, "context/hello"), "hello");
    writeFileSync(join(root, "context/sub/ü"), "x".repeat(200_000));
    builder = await open(join(root, "state"));
  });
  afterEach(async () => {
    await builder[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  /** Lends the context; results go to `out`, by index of the exporter. */
  function session(dockerfile: string): Session {
    writeFileSync(join(root, "context/Dockerfile"), dockerfile);
    return {
      sharedKey: "contract",
      directory: () => undefined,
      files: (_name, filter, call) => shareDirectory(join(root, "context"), filter, call),
      async receive({ index, type }, tar, call) {
        const out = join(root, `out${index}`);
        if (type === "local") {
          mkdirSync(out, { recursive: true });
          await extractTar(tar, { root: out, whiteouts: "none" }, call);
        } else writeFileSync(out, await readAll(tar, 1 << 30, "archive"));
      },
      secret: async () => undefined,
      ssh: async () => undefined,
      credentials: async () => undefined,
    };
  }

  let count = 0;

  async function build(
    dockerfile: string,
    more: Partial<BuildRequest> = {},
    call: Call = uncancelled,
  ): Promise<{ readonly result: BuildResult; readonly events: readonly BuildEvent[] }> {
    const ref = `contract${process.pid}x${++count}`;
    const request: BuildRequest = {
      ref,
      frontend: "dockerfile.v0",
      attrs: {},
      exporters: [],
      ...more,
    };
    const running = builder.build(request, session(dockerfile), call);
    const events: BuildEvent[] = [];
    const told = (async () => {
      for await (const event of running.events) events.push(event);
    })();
    try {
      return { result: await running.result, events };
    } finally {
      await told;
    }
  }

  test("it says what it is", async () => {
    const { version, platforms } = await builder.info(uncancelled);
    expect(version).not.toBe("");
    expect(platforms[0]?.os).toBe("linux");
  });

  test("files of the context come out as they went in", async () => {
    const exporters = [{ type: "local", attrs: {} }];
    await build("FROM scratch\nCOPY . /app/\n", { exporters });
    const found = readdirSync(join(root, "out0/app"), { recursive: true }).map(String).sort();
    expect(found).toEqual(["Dockerfile", "hello", "sub", "sub/ü"]);
    expect(readFileSync(join(root, "out0/app/sub/ü"), "utf8").length).toBe(200_000);
  });

  test("two outputs of one type go each to its place", async () => {
    const exporters = [
      { type: "tar", attrs: {} },
      { type: "local", attrs: {} },
      { type: "tar", attrs: {} },
    ];
    await build("FROM scratch\nCOPY hello /\n", { exporters });
    for (const index of [0, 2]) {
      const names: string[] = [];
      const sink = {
        entry: ({ path }: { path: string }) => void names.push(path),
        data() {},
        end() {},
      };
      const data = readFileSync(join(root, `out${index}`));
      await readTar(
        (async function* () {
          yield data;
        })(),
        sink,
        uncancelled,
      );
      expect(names).toContain("hello");
    }
    expect(readdirSync(join(root, "out1"))).toEqual(["hello"]);
  });

  test("an image has a descriptor, and the same one again", async () => {
    const exporters = [{ type: "oci", attrs: {} }];
    const first = await build("FROM scratch\nCOPY hello /\n", { exporters });
    const second = await build("FROM scratch\nCOPY hello /\n", { exporters });
    expect(first.result.exporterResponse["containerimage.digest"]).toMatch(/^sha256:/);
    expect(first.result.descriptor?.digest).toBe(
      first.result.exporterResponse["containerimage.digest"],
    );
    expect(second.result.descriptor).toEqual(first.result.descriptor);
    const cached = second.events.filter((one) => one.type === "step" && one.state === "cached");
    expect(cached.length).toBeGreaterThan(0);
  });

  test("every step that ends has begun, and is named", async () => {
    const { events } = await build("FROM scratch\nCOPY hello /\n");
    const begun = new Set<string>();
    for (const event of events) {
      if (event.type !== "step") continue;
      if (event.state === "started") begun.add(event.step);
      if (event.state === "done") expect(begun.has(event.step)).toBe(true);
      expect(event.name).not.toBe("");
    }
    expect(begun.size).toBeGreaterThan(2);
  });

  test("a changed file changes what comes out", async () => {
    const exporters = [{ type: "local", attrs: {} }];
    await build("FROM scratch\nCOPY hello /\n", { exporters });
    writeFileSync(join(root, "context/hello"), "other");
    await build("FROM scratch\nCOPY hello /\n", { exporters });
    expect(readFileSync(join(root, "out0/hello"), "utf8")).toBe("other");
  });

  test("a cache in a directory is written, and found by a builder that knows nothing else", async () => {
    const dest = join(root, "cache");
    const dockerfile = "FROM scratch\nCOPY hello /\n";
    await build(dockerfile, { cacheExports: [{ type: "local", attrs: { dest, mode: "max" } }] });
    await builder[Symbol.asyncDispose]();
    builder = await open(join(root, "other"));
    const cacheImports = [{ type: "local", attrs: { src: dest } }];
    const exporters = [{ type: "local", attrs: {} }];
    const { events } = await build(dockerfile, { cacheImports, exporters });
    const copy = events.filter((one) => one.type === "step" && one.name.includes("COPY hello"));
    expect(copy.map((one) => one.type === "step" && one.state)).toContain("cached");
    expect(readFileSync(join(root, "out0/hello"), "utf8")).toBe("hello");
  });

  test("a failure says what, and where in the Dockerfile", async () => {
    await expect(build("FROM scratch\nCOPY absent /\n")).rejects.toMatchObject({
      name: "KilnError",
      message: expect.stringMatching(/absent/),
      at: expect.objectContaining({ line: 2 }),
    });
  });

  test("a Dockerfile with mistakes is told so", async () => {
    await expect(build("FROM scratch\nCOPPY a b\n")).rejects.toMatchObject({
      name: "KilnError",
      message: expect.stringMatching(/COPPY|unknown instruction/i),
    });
  });

  test("a cancelled build rejects with the reason, and its events end", async () => {
    const controller = new AbortController();
    const dockerfile = "FROM scratch\nCOPY . /\n";
    const running = build(dockerfile, {}, { signal: controller.signal });
    controller.abort(abortReason("enough"));
    await expect(running).rejects.toThrow(/enough/);
    const after = await build(dockerfile);
    expect(after.result.exporterResponse).toBeDefined();
  });

  test("what is kept can be listed, and pruned", async () => {
    await build("FROM scratch\nCOPY hello /\n");
    expect((await builder.diskUsage(uncancelled)).length).toBeGreaterThan(0);
    const gone: string[] = [];
    for await (const { id } of builder.prune({ all: true }, uncancelled)) gone.push(id);
    expect(gone.length).toBeGreaterThan(0);
  });
}
