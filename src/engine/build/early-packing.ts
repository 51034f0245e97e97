// Packs layers for the image while later steps still run: what a step left is final as soon as it is done.
import type { Attrs, Session } from "../../api/index.ts";
import { type Call, digestOf, Limiter } from "../../base/index.ts";
import type { LlbEdge, LlbGraph, LlbVertex } from "../../formats/llb/index.ts";
import type { Exporter, SolvedResult } from "../exporter/index.ts";
import type { OpResult } from "../ops/index.ts";

/** The packing of one build. Disposing it cancels what nobody else waits for. */
export interface EarlyPacking extends AsyncDisposable {
  /** Told of every step that ran, with its outputs, which are lent. Does not wait and does not throw. */
  afterWork(vertex: LlbVertex, outputs: readonly OpResult[]): void;
  /** Begins nothing more: the exporters are at it. */
  stop(): void;
}

/** For the exporters that make layers; only layers that will be part of a result of `graphs` are packed. */
export function startEarlyPacking(
  graphs: readonly (LlbGraph | undefined)[],
  wanted: readonly { readonly exporter: Exporter; readonly attrs: Attrs }[],
  { session, ...times }: { readonly session: Session } & Pick<SolvedResult, "sourceDateEpoch">,
  call: Call,
): EarlyPacking {
  const layers = new Map<string, number>(graphs.flatMap((graph) => layerMakers(graph?.result)));
  const controller = new AbortController();
  const signal = AbortSignal.any([call.signal, controller.signal]);
  // One at a time, and each at leisure: the steps come first.
  const limiter = new Limiter(1);
  const running = new Set<Promise<void>>();
  const step = digestOf("early packing");
  let stopped = false;

  const pack = async (result: NonNullable<OpResult>): Promise<void> => {
    await using held = result.clone();
    using _turn = await limiter.acquire({ signal });
    const layer = held.layers.at(-1);
    if (layer === undefined || layer.blob) return;
    for (const { exporter, attrs } of wanted) {
      if (stopped) return;
      await exporter.anticipate?.(layer, times, attrs, session, { signal, step, emit: () => {} });
    }
  };
  return {
    afterWork({ digest }, outputs) {
      const index = layers.get(digest);
      const result = index === undefined ? undefined : outputs[index];
      if (stopped || !result || result.tree) return;
      // Whatever fails here fails again in the export, which says so.
      const packing = pack(result)
        .catch(() => {})
        .finally(() => running.delete(packing));
      running.add(packing);
    },
    stop() {
      stopped = true;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      controller.abort();
      await Promise.all(running);
    },
  };
}

/** The vertices whose newest layers a result consists of, each with the output that has it. */
function layerMakers(result: LlbEdge | undefined): [digest: string, output: number][] {
  const makers: [string, number][] = [];
  const open = result ? [result] : [];
  for (let edge = open.pop(); edge !== undefined; edge = open.pop()) {
    const { vertex, output } = edge;
    if (vertex.op.kind === "merge") open.push(...vertex.inputs);
    if (vertex.op.kind !== "exec" && vertex.op.kind !== "file") continue;
    makers.push([vertex.digest, output]);
    const base = baseOf(vertex, output);
    if (base) open.push(base);
  }
  return makers;
}

/** What an output was made on top of. */
export function baseOf({ op, inputs }: LlbVertex, output: number): LlbEdge | undefined {
  if (op.kind === "exec") {
    const mount = op.mounts.find((one) => one.output === output);
    return mount?.input === undefined ? undefined : inputs[mount.input];
  }
  if (op.kind !== "file") return undefined;
  let action = op.actions.find((one) => one.output === output);
  while (action?.base?.from === "action") action = op.actions[action.base.index];
  return action?.base === undefined ? undefined : inputs[action.base.index];
}
