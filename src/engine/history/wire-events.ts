// What a build says, as BuildKit's StatusResponse: vertexes, statuses, logs, warnings.
import type { BuildEvent, Warning } from "../../api/index.ts";
import { concatBytes, type Digest } from "../../base/index.ts";
import { toFileMessage } from "../../formats/llb/index.ts";
import { control } from "../../formats/proto/index.ts";
import { wireStepWords } from "./wire-words.ts";

/** Counts of a build, as its record has them. */
export interface StepCounts {
  cached: number;
  total: number;
  completed: number;
  warnings: number;
}

/** The reference's words for a step that was stopped. */
const cancelledText = "context canceled";

const usualLogLimit = 2 << 20;

function clippedNote(limit: number): Uint8Array {
  const size = limit % (1 << 20) === 0 ? `${limit / (1 << 20)}MiB` : `${limit}B`;
  return new TextEncoder().encode(`\n[output clipped, log limit ${size} reached]\n`);
}

type LogEvent = Extract<BuildEvent, { type: "log" }>;
type StepEvent = Extract<BuildEvent, { type: "step" }>;

/** Turns events into messages, one batch at a time. Keeps of each step what later messages repeat. */
export class WireEvents {
  readonly counts: StepCounts = { cached: 0, total: 0, completed: 0, warnings: 0 };
  /** The first step that failed. */
  failed: Digest | undefined;
  readonly #steps = new Map<Digest, control.Vertex>();
  readonly #statuses = new Map<string, Date>();
  /** Bytes of each step's log so far; infinite once it was clipped. */
  readonly #logged = new Map<Digest, number>();
  readonly #logLimit: number;
  /** Bytes of logs that wait to be taken. */
  pending = 0;
  #batch = control.StatusResponse.create();
  #touched = new Set<control.Vertex>();

  /** `logLimit`: bytes that are told of one step's output; the reference's 2 MiB where absent. */
  constructor(logLimit: number = usualLogLimit) {
    this.#logLimit = logLimit;
  }

  add(event: BuildEvent): void {
    switch (event.type) {
      case "step":
        this.#step(event);
        return;
      case "progress":
        this.#progress(event);
        return;
      case "log":
        this.#log(event);
        return;
      case "warning":
        this.counts.warnings++;
        this.#batch.warnings.push(warningMessage(event.warning, event.step));
        return;
      case "explanation":
        return;
    }
  }

  /** All steps so far, as they stand. */
  get steps(): readonly control.Vertex[] {
    return [...this.#steps.values()];
  }

  /** What has been added since, encoded; undefined when that is nothing. */
  take(): Uint8Array | undefined {
    const batch = this.#batch;
    this.pending = 0;
    for (const vertex of this.#touched) batch.vertexes.push(vertex);
    this.#touched = new Set();
    const { vertexes, statuses, logs, warnings } = batch;
    if (vertexes.length + statuses.length + logs.length + warnings.length === 0) return undefined;
    const bytes = control.StatusResponse.encode(batch).finish();
    this.#batch = control.StatusResponse.create();
    return bytes;
  }

  /** No more of one step than readers can be expected to take: clients of the reference give up on the rest. */
  #log({ step, at, stream, data }: LogEvent): void {
    const before = this.#logged.get(step) ?? 0;
    if (before > this.#logLimit) return;
    const left = this.#logLimit - before;
    const clipped = data.length > left;
    this.#logged.set(step, clipped ? Number.POSITIVE_INFINITY : before + data.length);
    const msg = clipped ? concatBytes([data.subarray(0, left), clippedNote(this.#logLimit)]) : data;
    this.pending += msg.length;
    this.#batch.logs.push({ vertex: step, timestamp: at, stream, msg });
  }

  #step(event: StepEvent): void {
    const vertex = this.#vertex(event);
    const begins = event.state === "started";
    // A step that begins once more is told apart from its last run.
    if (this.#touched.has(vertex) && vertex.completed) this.#batch.vertexes.push({ ...vertex });
    if (event.state !== "planned") vertex.started ??= event.at;
    if (begins) vertex.completed = undefined;
    else if (event.state !== "planned") this.#complete(vertex, event);
    this.#touched.add(vertex);
  }

  #complete(vertex: control.Vertex, event: StepEvent): void {
    if (!vertex.completed) this.counts.completed++;
    vertex.completed = event.at;
    if (event.state === "cached") {
      if (!vertex.cached) this.counts.cached++;
      vertex.cached = true;
    }
    if (event.state === "cancelled") vertex.error = cancelledText;
    if (event.state === "failed") {
      vertex.error = wireStepWords(event.error ?? "failed", event.step);
      this.failed ??= event.step;
    }
  }

  #vertex(event: StepEvent): control.Vertex {
    const known = this.#steps.get(event.step);
    const { inputs, group } = event;
    if (known) {
      if (inputs) known.inputs = [...inputs];
      return known;
    }
    this.counts.total++;
    const vertex = control.Vertex.create({
      digest: event.step,
      inputs: [...(inputs ?? [])],
      name: event.name,
      ...(group
        ? { progressGroup: { id: group.id, name: group.name ?? "", weak: group.weak ?? false } }
        : {}),
    });
    this.#steps.set(event.step, vertex);
    return vertex;
  }

  #progress(event: Extract<BuildEvent, { type: "progress" }>): void {
    const key = `${event.step} ${event.id}`;
    const started = this.#statuses.get(key) ?? event.at;
    this.#statuses.set(key, started);
    const status = control.VertexStatus.create({
      ID: event.id,
      vertex: event.step,
      // As BuildKit calls what is moved between the two sides.
      name: /^(transferring |copying files)/.test(event.id) ? "transferring" : event.id,
      current: event.current,
      total: event.total ?? 0,
      timestamp: event.at,
      started,
      ...(event.done ? { completed: event.at } : {}),
    });
    const { statuses } = this.#batch;
    const earlier = statuses.findIndex((one) => one.vertex === event.step && one.ID === event.id);
    // Only the newest of a batch is of interest.
    if (earlier === -1) statuses.push(status);
    else statuses[earlier] = status;
  }
}

/** Every place in one file. */
function placesOf({
  file,
  ranges,
}: NonNullable<Warning["location"]>): Pick<control.VertexWarning, "info" | "ranges"> {
  return { info: toFileMessage(file), ranges: ranges.map(({ start, end }) => ({ start, end })) };
}

function warningMessage(warning: Warning, step: Digest | undefined): control.VertexWarning {
  const { message, detail, url, rule, at, location, level = 1 } = warning;
  const words = rule === undefined ? message : `${rule}: ${message}`;
  const short = rule === undefined || !at ? words : `${words} (line ${at.line})`;
  const text = new TextEncoder();
  const place = location
    ? placesOf(location)
    : at && {
        info: { filename: at.file, data: text.encode(at.text ?? ""), language: "Dockerfile" },
        ranges: [
          {
            start: { line: at.line, character: at.column === undefined ? 0 : at.column - 1 },
            end: {
              line: at.endLine ?? at.line,
              character: at.endColumn === undefined ? 0 : at.endColumn - 1,
            },
          },
        ],
      };
  return control.VertexWarning.create({
    vertex: step ?? "",
    level,
    short: text.encode(short),
    detail: (detail ?? []).map((line) => text.encode(line)),
    url: url ?? "",
    ...place,
  });
}
