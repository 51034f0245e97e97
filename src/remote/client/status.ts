// What a daemon says of a build, as events.
import type { BuildEvent, ProgressGroup, StepState, Warning } from "../../api/index.ts";
import { type Digest, isDigest, parseDigest, type SourcePlace } from "../../base/index.ts";
import type { control, pb } from "../../formats/proto/index.ts";

type StepEvent = Extract<BuildEvent, { type: "step" }>;

/** Remembers which steps have been told of, so that every one that ends has begun. */
export class StatusReader {
  readonly #began = new Set<string>();
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** In the order in which they happened: steps begin, say something, and end. */
  *events(response: control.StatusResponse): Iterable<BuildEvent> {
    const ends = new Map<Digest, BuildEvent>();
    for (const vertex of response.vertexes) {
      for (const event of this.#step(vertex)) {
        const earlier = ends.get(event.step);
        if (earlier) yield earlier;
        ends.delete(event.step);
        if (event.state === "planned" || event.state === "started") yield event;
        else ends.set(event.step, event);
      }
    }
    yield* this.#said(response);
    yield* ends.values();
  }

  *#said(response: control.StatusResponse): Iterable<BuildEvent> {
    for (const status of response.statuses) yield* this.#progress(status);
    for (const { vertex, stream, msg, timestamp } of response.logs) {
      const step = digestOf(vertex);
      if (step === undefined) continue;
      const at = timestamp ?? this.#now();
      yield { type: "log", step, stream: stream === 2 ? 2 : 1, data: msg, at };
    }
    for (const one of response.warnings) {
      const step = digestOf(one.vertex);
      const warning = warningOf(one);
      yield { type: "warning", warning, at: this.#now(), ...(step ? { step } : {}) };
    }
  }

  *#step(vertex: control.Vertex): Iterable<StepEvent> {
    const step = digestOf(vertex.digest);
    if (step === undefined) return;
    const { name, started, completed, cached, error } = vertex;
    const inputs = vertex.inputs.map(digestOf).filter((one) => one !== undefined);
    const group = groupOf(vertex.progressGroup);
    const event = (state: StepState, at: Date): StepEvent => ({
      type: "step",
      step,
      name,
      at,
      state,
      inputs,
      ...(group ? { group } : {}),
      ...(error === "" || state === "started" ? {} : { error }),
    });
    if (!started && !completed) return yield event("planned", this.#now());
    if (started && (!completed || (!cached && !this.#began.has(step)))) {
      this.#began.add(step);
      yield event("started", started);
    }
    if (completed) yield event(endOf(vertex), completed);
  }

  *#progress(status: control.VertexStatus): Iterable<BuildEvent> {
    const step = digestOf(status.vertex);
    if (step === undefined) return;
    const { ID, current, total, timestamp, completed } = status;
    yield {
      type: "progress",
      step,
      id: ID,
      at: timestamp ?? this.#now(),
      current,
      ...(total > 0 ? { total } : {}),
      ...(completed ? { done: true } : {}),
    };
  }
}

function endOf({ error, cached }: control.Vertex): StepState {
  if (error === "") return cached ? "cached" : "done";
  return /context canceled|: canceled|cancelled/.test(error) ? "cancelled" : "failed";
}

function digestOf(text: string): Digest | undefined {
  return isDigest(text) ? parseDigest(text) : undefined;
}

function groupOf(group: pb.ProgressGroup | undefined): ProgressGroup | undefined {
  if (!group || group.id === "") return undefined;
  return {
    id: group.id,
    ...(group.name === "" ? {} : { name: group.name }),
    ...(group.weak ? { weak: true } : {}),
  };
}

function warningOf({ short, detail, url, info, level, ranges }: control.VertexWarning): Warning {
  const text = new TextDecoder();
  const at = placeOf(info, ranges);
  const lines = detail.map((line) => text.decode(line));
  const words = text.decode(short);
  // The reference's checks name themselves before a colon, and their line behind.
  const [, rule, said] = /^([A-Z][A-Za-z]+): (.*?)(?: \(line \d+\))?$/s.exec(words) ?? [];
  const message = said ?? words;
  return {
    message,
    ...(lines.length > 0 ? { detail: lines } : {}),
    ...(url === "" ? {} : { url }),
    ...(rule === undefined ? {} : { rule }),
    ...(at ? { at } : {}),
    ...(level > 1 ? { level } : {}),
  };
}

/** The first of the places, with the file's text. */
export function placeOf(
  info: pb.SourceInfo | undefined,
  ranges: readonly pb.Range[],
): SourcePlace | undefined {
  const start = ranges[0]?.start;
  if (!info || !start) return undefined;
  const end = ranges[0]?.end;
  return {
    file: info.filename,
    line: start.line,
    ...(end && end.line >= start.line ? { endLine: end.line } : {}),
    text: new TextDecoder().decode(info.data),
  };
}

/** Responses of a build's Status as events, to their end. */
export async function* statusEvents(
  responses: AsyncIterable<control.StatusResponse>,
  now: () => Date,
): AsyncIterable<BuildEvent> {
  const reader = new StatusReader(now);
  for await (const response of responses) yield* reader.events(response);
}
