// Which layers are packed while later steps run, and that nothing of it outlives the build.
import { describe, expect, it } from "vitest";
import type { Session } from "../../api/index.ts";
import { uncancelled } from "../../base/index.ts";
import {
  decodeDefinition,
  encodeDefinition,
  image,
  readDefinition,
  type State,
  scratch,
} from "../../formats/llb/index.ts";
import type { Snapshot } from "../../storage/snapshot/index.ts";
import type { Exporter } from "../exporter/index.ts";
import { startEarlyPacking } from "./early-packing.ts";

const options = { platform: { os: "linux", architecture: "amd64" }, localUniqueId: "id" };
const graphOf = (state: State) =>
  readDefinition(decodeDefinition(encodeDefinition(state.marshal(options))));

function snapshot(id: string): Snapshot {
  const made = { id, layers: [{ id }], clone: () => made, async [Symbol.asyncDispose]() {} };
  return made as unknown as Snapshot;
}

function start(state: State, anticipate: NonNullable<Exporter["anticipate"]>) {
  const graph = graphOf(state);
  const exporter = { type: "image", anticipate } as unknown as Exporter;
  const asked = { session: {} as Session, sourceDateEpoch: undefined };
  const early = startEarlyPacking([graph], [{ exporter, attrs: {} }], asked, uncancelled);
  return { early, vertices: graph.vertices };
}

const settled = () => new Promise((done) => setTimeout(done, 10));

describe("packing layers early", () => {
  const base = image("docker.io/library/busybox:latest");
  const other = base.run(["other"]);
  const built = base.run(["first"]).copy(other, "/out", "/in").run(["last"]);

  it("packs what the result is made of, and nothing that it only reads from", async () => {
    const packed: string[] = [];
    const { early, vertices } = start(built, async (layer) => void packed.push(layer.id));
    for (const vertex of vertices) {
      early.afterWork(vertex, [
        snapshot(vertex.op.kind === "exec" ? (vertex.op.args[0] ?? "") : vertex.op.kind),
      ]);
    }
    await settled();
    expect(packed.sort()).toEqual(["file", "first", "last"]);
    await early[Symbol.asyncDispose]();
  });

  it("begins nothing once the export is on", async () => {
    const packed: string[] = [];
    const { early, vertices } = start(built, async (layer) => void packed.push(layer.id));
    early.stop();
    for (const vertex of vertices) early.afterWork(vertex, [snapshot("one")]);
    await settled();
    expect(packed).toEqual([]);
    await early[Symbol.asyncDispose]();
  });

  it("ends with the build, and keeps its failures to itself", async () => {
    let cancelled = false;
    const { early, vertices } = start(
      scratch().file([{ kind: "mkdir", path: "/a", mode: 0o755 }]),
      (_, __, ___, ____, { signal }) =>
        new Promise((_done, fail) => {
          signal.addEventListener("abort", () => {
            cancelled = true;
            fail(signal.reason);
          });
        }),
    );
    for (const vertex of vertices) early.afterWork(vertex, [snapshot("one")]);
    await settled();
    await early[Symbol.asyncDispose]();
    expect(cancelled).toBe(true);
  });
});
