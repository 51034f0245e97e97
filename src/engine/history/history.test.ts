// Builds are remembered with what they said, followed while they run, and forgotten by the reference's rule.
import { Buffer } from "node:buffer";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { BuildEvent, BuildRequest, BuildResult, HistoryEvent } from "../../api/index.ts";
import { digestOf, KilnError, readAll, uncancelled } from "../../base/index.ts";
import { control } from "../../formats/proto/index.ts";
import { type Hear, type History, openHistory } from "./index.ts";

let directory: string;
let time: number;
let history: History;
const now = () => new Date(time);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-history-"));
  time = Date.UTC(2026, 0, 1);
  history = openHistory({ directory, now, maxEntries: 2 });
});

afterEach(() => rmSync(directory, { recursive: true }));

const step = digestOf("step");
const event = (state: "started" | "done" | "cached" | "failed"): BuildEvent => ({
  type: "step",
  step,
  name: "[1/1] RUN x",
  at: now(),
  state,
  ...(state === "failed" ? { error: "exit code: 1" } : {}),
});

interface Running {
  readonly hear: Hear;
  end(error?: unknown): Promise<void>;
}

function begin(
  ref: string,
  more: Partial<BuildRequest> = {},
  outcome: Partial<BuildResult> = {},
): Running {
  let heard: Hear = () => {};
  let settle: (error: unknown) => void = () => {};
  const build = history.record({ ref, attrs: {}, exporters: [], ...more }, (hear) => {
    heard = hear;
    const result = new Promise<BuildResult>((resolve, reject) => {
      settle = (error) =>
        error ? reject(error) : resolve({ exporterResponse: { key: "value" }, ...outcome });
    });
    return { events: (async function* () {})(), result };
  });
  return {
    hear: (one) => heard(one),
    async end(error) {
      settle(error);
      await build.result.catch(() => {});
      await Promise.resolve();
    },
  };
}

async function list(query = {}): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for await (const one of history.listen({ earlyExit: true, ...query }, uncancelled))
    events.push(one);
  return events;
}

async function progress(ref: string): Promise<control.StatusResponse[]> {
  const messages: control.StatusResponse[] = [];
  for await (const bytes of history.status(ref, uncancelled) ?? [])
    messages.push(control.StatusResponse.decode(bytes));
  return messages;
}

it("a build is listed while it runs and afterwards, with its counts", async () => {
  const build = begin("one");
  expect((await list()).map(({ type }) => type)).toEqual(["started"]);
  build.hear(event("started"));
  build.hear(event("cached"));
  await build.end();
  const [found] = await list();
  expect(found).toMatchObject({
    type: "complete",
    record: { ref: "one", totalSteps: 1, cachedSteps: 1, completedSteps: 1 },
  });
  expect(found?.record.exporterResponse).toEqual({ key: "value" });
});

it("progress can be read by several readers at once and again later", async () => {
  const build = begin("one");
  const live = [progress("one"), progress("one")];
  build.hear(event("started"));
  build.hear({ type: "log", step, stream: 1, data: Uint8Array.of(104, 105), at: now() });
  build.hear(event("failed"));
  await build.end(new KilnError("PROCESS_FAILED", "exit code: 1"));
  const readers = [...(await Promise.all(live)), await progress("one")];
  for (const messages of readers) {
    expect(messages.flatMap(({ logs }) => logs.map(({ msg }) => [...msg]))).toEqual([[104, 105]]);
    const last = messages.flatMap(({ vertexes }) => vertexes).at(-1);
    expect(last).toMatchObject({ digest: step, error: "exit code: 1" });
  }
});

it("a failure keeps its place, for clients that print the excerpt", async () => {
  const at = { file: "Dockerfile", line: 2, text: "FROM x\nRUN y\n" };
  await begin("one").end(new KilnError("PROCESS_FAILED", "exit code: 1", { at, hint: "Try." }));
  const [found] = await list();
  const details = found?.record.error?.details ?? [];
  const source = details.find(({ typeUrl }) => typeUrl.endsWith("errdefs.Source+json"));
  expect(JSON.parse(new TextDecoder().decode(source?.value))).toMatchObject({
    info: { filename: "Dockerfile" },
    ranges: [{ start: { line: 2 }, end: { line: 2 } }],
  });
  expect(await list({ filters: ["status==error"] })).toHaveLength(1);
  expect(await list({ filters: ["status==completed"] })).toHaveLength(0);
});

it("logs can be fetched by their digest", async () => {
  const build = begin("one");
  build.hear(event("started"));
  await build.end();
  const [found] = await list();
  const logs = found?.record.logs;
  if (!logs) throw new Error("no logs");
  const blob = await history.blob(logs.digest, uncancelled);
  const chunks: Uint8Array[] = [];
  for await (const chunk of blob?.data ?? []) chunks.push(chunk);
  expect(digestOf(Buffer.concat(chunks))).toBe(logs.digest);
  expect(await history.blob(digestOf("other"), uncancelled)).toBeUndefined();
});

it("only what is both too old and too much goes, and pinned builds stay", async () => {
  for (const ref of ["a", "b", "c", "d"]) {
    await begin(ref).end();
    time += 1000;
  }
  expect(await list()).toHaveLength(4);
  await history.update("a", { pinned: true }, uncancelled);
  time += 49 * 3_600_000;
  await begin("e").end();
  expect((await list()).map(({ record }) => record.ref)).toEqual(["e", "d", "a"]);
});

it("internal builds can be followed, and are not listed", async () => {
  const build = begin("check", { internal: true });
  build.hear(event("started"));
  await build.end();
  expect(await progress("check")).toHaveLength(1);
  expect(await list()).toEqual([]);
});

it("listeners are told of what happens later", async () => {
  const controller = new AbortController();
  const seen: string[] = [];
  const listening = (async () => {
    for await (const { type } of history.listen({}, { signal: controller.signal })) {
      seen.push(type);
      if (type === "deleted") controller.abort();
    }
  })().catch(() => {});
  await Promise.resolve();
  await begin("one").end();
  await history.update("one", { delete: true }, uncancelled);
  await listening;
  expect(seen).toEqual(["started", "complete", "deleted"]);
  expect(readdirSync(directory)).toEqual([]);
});

it("a second build of the same name is refused while the first runs", async () => {
  const build = begin("one");
  expect(() => begin("one")).toThrow("runs already");
  await build.end();
});

it("an unknown build cannot be changed", async () => {
  await expect(history.update("none", { pinned: true }, uncancelled)).rejects.toMatchObject({
    code: "RECORD_NOT_FOUND",
  });
});

const document = (text: string) => ({
  descriptor: { mediaType: "application/x", digest: digestOf(text), size: text.length },
  data: new TextEncoder().encode(text),
});

it("what was exported is named, and its documents can be read, with what is said of each platform", async () => {
  const images = [[document("an index"), document("a manifest")]];
  const said = { "linux/amd64": { about: 1 }, "linux/arm64": { about: 2 } };
  await begin("one", {}, { images, provenance: () => said }).end();
  const [found] = await list();
  const { results = {} } = found?.record ?? {};
  // Stock clients look at single platforms only where nothing is said of the result as such.
  expect(Object.keys(results)).toEqual(Object.keys(said));
  for (const { results: exported, attestations } of Object.values(results)) {
    expect(exported.map(({ digest }) => digest)).toEqual([digestOf("an index")]);
    expect(attestations[0]?.annotations).toMatchObject({
      "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1",
    });
  }
  const read = await history.blob(digestOf("a manifest"), uncancelled);
  expect(read?.size).toBe("a manifest".length);
  expect(Buffer.from(await readAll(read!.data, 100, "it")).toString()).toBe("a manifest");
  expect(await history.blob(digestOf("another"), uncancelled)).toBeUndefined();
});

it("a single platform's provenance is that of the result, and a result needs none", async () => {
  const images = [[document("a manifest")]];
  await begin("one", {}, { images, provenance: () => ({ "linux/amd64": {} }) }).end();
  await begin("two", {}, { images }).end();
  for (const { record } of await list()) {
    expect(Object.keys(record.results ?? {})).toEqual([""]);
    expect(record.results?.[""]?.results).toHaveLength(1);
    expect(record.results?.[""]?.attestations).toHaveLength(record.ref === "one" ? 1 : 0);
  }
});
