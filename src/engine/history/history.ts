// The store of build records: one directory a build, with its record and its progress.
import { createReadStream, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  Build,
  BuildEvent,
  BuildHistory,
  BuildRecord,
  BuildRequest,
  BuildResult,
  HistoryEvent,
} from "../../api/index.ts";
import { abortable, type Call, digestHex, digestOf, KilnError, log } from "../../base/index.ts";
import { createRecordFilter } from "./filters.ts";
import { readRecord, writeRecord } from "./record-file.ts";
import { blobsOf, resultsOf, traceBlob } from "./record-files.ts";
import { readStatusLog, StatusLog } from "./status-log.ts";
import { wireError } from "./wire-errors.ts";
import { WireEvents } from "./wire-events.ts";

const debug = log("history");

export interface HistoryOptions {
  readonly directory: string;
  readonly now: () => Date;
  /** Milliseconds; older records go when there are more than `maxEntries`. */
  readonly maxAge?: number;
  readonly maxEntries?: number;
  /** Bytes that are told of one step's output; the reference's 2 MiB where absent. */
  readonly stepLogLimit?: number;
}

/** The reference's: 48 hours and 50 builds, and only what is beyond both goes. */
const defaultMaxAge = 48 * 3_600_000;
const defaultMaxEntries = 50;

/** Milliseconds for which internal builds can be followed after their end. */
const internalStay = 10_000;
/** What a process that was killed left without a record goes after so many milliseconds. */
const orphanAge = 24 * 3_600_000;

const logsMediaType = "application/vnd.buildkit.status.v0";
const recordName = "record.json";
const statusName = "status";

/** Called with every event of a build, in order. */
export type Hear = (event: BuildEvent) => void;

/** Keeps builds in mind. */
export interface History extends BuildHistory {
  /**
   * Starts a build that is written down while it runs; `start` gets what is to hear all its events. `internal` builds can
   * be followed but are not remembered. Throws `REQUEST_INVALID` when a build of that name runs.
   */
  record(request: BuildRequest, start: (hear: Hear) => Build): Build;
}

/** A build that runs, or whose end is being written. */
interface Active {
  record: BuildRecord;
  /** True for internal builds that have ended and can still be followed for a moment. */
  over?: boolean;
  readonly internal: boolean;
  readonly log: StatusLog;
}

export function openHistory(options: HistoryOptions): History {
  const active = new Map<string, Active>();
  const listeners = new Set<(event: HistoryEvent) => void>();
  const tell = (event: HistoryEvent) => {
    for (const listener of listeners) listener(event);
  };
  const placeOf = (ref: string) => join(options.directory, safeName(ref));
  const remove = (record: BuildRecord) => {
    rmSync(placeOf(record.ref), { recursive: true, force: true });
    tell({ type: "deleted", record });
  };
  return {
    record: (request, start) =>
      recordBuild(request, start, { options, active, tell, placeOf, remove }),
    listen: (query, call) => listen(query, { options, active, listeners }, call),
    async update(ref, change) {
      const running = active.get(ref);
      const record = running?.record ?? readRecord(join(placeOf(ref), recordName));
      if (!record) throw notFound(ref);
      if (change.delete) {
        if (running) throw new KilnError("REQUEST_INVALID", `build ${ref} is still running`);
        return remove(record);
      }
      if (change.pinned === undefined) return;
      const { generation } = record;
      const changed = { ...record, pinned: change.pinned, generation: generation + 1 };
      if (running) running.record = changed;
      else writeRecord(join(placeOf(ref), recordName), changed);
      tell({ type: running ? "started" : "complete", record: changed });
    },
    status(ref, call) {
      const running = active.get(ref);
      if (running) return running.log.follow(call);
      const path = join(placeOf(ref), statusName);
      return statSync(path, { throwIfNoEntry: false }) ? recorded(path) : undefined;
    },
    async blob(digest) {
      for (const record of storedRecords(options.directory)) {
        // Besides what the record names, all that is named by that in turn.
        const name = record.logs?.digest === digest ? statusName : digestHex(digest);
        const path = join(placeOf(record.ref), name);
        const stats = statSync(path, { throwIfNoEntry: false });
        if (stats) return { size: stats.size, data: createReadStream(path) };
      }
      return undefined;
    },
    async take(record, files) {
      if (active.has(record.ref))
        throw new KilnError("REQUEST_INVALID", `build ${record.ref} is still running`);
      const place = placeOf(record.ref);
      mkdirSync(place, { recursive: true, mode: 0o700 });
      for (const one of blobsOf(record)) {
        const data = files.get(one.digest);
        const name = one === record.logs ? statusName : digestHex(one.digest);
        if (data) writeFileSync(join(place, name), data, { mode: 0o600 });
      }
      writeRecord(join(place, recordName), record);
      tell({ type: "complete", record });
    },
    async finalize(ref) {
      if (!active.has(ref) && !readRecord(join(placeOf(ref), recordName))) throw notFound(ref);
    },
  };
}

function notFound(ref: string): KilnError {
  return new KilnError("RECORD_NOT_FOUND", `there is no record of build ${JSON.stringify(ref)}`, {
    hint: "Run 'kiln history ls' to see which there are.",
  });
}

/** A directory's name for what a client calls its build. */
function safeName(ref: string): string {
  return /^[A-Za-z0-9_-]{1,64}$/.test(ref) ? ref : digestHex(digestOf(ref));
}

async function* recorded(path: string): AsyncIterable<Uint8Array> {
  yield* readStatusLog(path);
}

interface Store {
  readonly options: HistoryOptions;
  readonly active: Map<string, Active>;
  readonly tell: (event: HistoryEvent) => void;
  readonly placeOf: (ref: string) => string;
  readonly remove: (record: BuildRecord) => void;
}

function recordBuild(request: BuildRequest, start: (hear: Hear) => Build, store: Store): Build {
  const { options, active, tell, placeOf } = store;
  const { ref } = request;
  const same = active.get(ref);
  if (same && !same.over)
    throw new KilnError(
      "REQUEST_INVALID",
      `a build with the ref ${JSON.stringify(ref)} runs already`,
    );
  const place = placeOf(ref);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const wire = new WireEvents(options.stepLogLimit);
  const statusLog = new StatusLog(join(place, statusName), () => wire.take());
  const one: Active = {
    record: newRecord(request, options.now()),
    internal: request.internal ?? false,
    log: statusLog,
  };
  active.set(ref, one);
  if (!request.internal) tell({ type: "started", record: one.record });
  const finish = (outcome: { readonly result: BuildResult } | { readonly error: unknown }) => {
    const logs = { mediaType: logsMediaType, ...statusLog.end() };
    const { cached, total, completed, warnings } = wire.counts;
    const record: BuildRecord = {
      ...one.record,
      completedAt: options.now(),
      generation: one.record.generation + 1,
      cachedSteps: cached,
      totalSteps: total,
      completedSteps: completed,
      warnings,
      logs,
      ...("error" in outcome
        ? { error: wireError(outcome.error, { step: wire.failed }) }
        : { exporterResponse: outcome.result.exporterResponse }),
    };
    if (request.internal) {
      // Whoever asks for the progress of a short build may come when it is over.
      const forget = () => {
        if (active.get(ref) === one) active.delete(ref);
        rmSync(place, { recursive: true, force: true });
      };
      one.over = true;
      setTimeout(forget, internalStay).unref();
      return;
    }
    active.delete(ref);
    const trace = traceBlob(record, wire.steps);
    const results = "error" in outcome ? undefined : resultsOf(outcome.result);
    for (const { blob, data } of [trace, ...(results?.files ?? [])])
      writeFileSync(join(place, digestHex(blob.digest)), data, { mode: 0o600 });
    const whole: BuildRecord = {
      ...record,
      trace: trace.blob,
      ...(results ? { results: results.results } : {}),
    };
    writeRecord(join(place, recordName), whole);
    tell({ type: "complete", record: whole });
    collect(store);
  };
  const build = start((event) => {
    wire.add(event);
    statusLog.touch(wire.pending);
  });
  const remember = (outcome: Parameters<typeof finish>[0]) => {
    try {
      finish(outcome);
    } catch (error) {
      debug.debug("not recorded", { error: String(error) });
    }
  };
  // All events have been heard when the result is there.
  build.result.then(
    (result) => remember({ result }),
    (error: unknown) => remember({ error }),
  );
  return build;
}

function newRecord(
  { ref, frontend, attrs, exporters }: BuildRequest,
  createdAt: Date,
): BuildRecord {
  return {
    ref,
    frontend: frontend ?? "",
    attrs,
    exporters,
    createdAt,
    exporterResponse: {},
    pinned: false,
    generation: 0,
    cachedSteps: 0,
    totalSteps: 0,
    completedSteps: 0,
    warnings: 0,
  };
}

/** Newest first. */
function storedRecords(directory: string): BuildRecord[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  return names
    .flatMap((name) => readRecord(join(directory, name, recordName)) ?? [])
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
}

/** Lets go of what is too old and too much at once; pinned records stay and do not count. */
function collect({ options, remove }: Store): void {
  const { maxAge = defaultMaxAge, maxEntries = defaultMaxEntries, now } = options;
  const kept = readdirSync(options.directory).length;
  // Reading hundreds of records takes longer than a build whose steps are cached: every sixteenth build is enough.
  if (kept > 32 && kept % 16 !== 0) return;
  removeOrphans(options.directory, now().getTime() - orphanAge);
  const loose = storedRecords(options.directory).filter((one) => !one.pinned);
  const oldest = now().getTime() - maxAge;
  for (const record of loose.slice(maxEntries)) {
    if ((record.completedAt ?? record.createdAt).getTime() < oldest) remove(record);
  }
}

function removeOrphans(directory: string, before: number): void {
  for (const name of readdirSync(directory)) {
    const place = join(directory, name);
    if (statSync(join(place, recordName), { throwIfNoEntry: false })) continue;
    const stats = statSync(join(place, statusName), { throwIfNoEntry: false });
    if (stats && stats.mtimeMs < before) rmSync(place, { recursive: true, force: true });
  }
}

async function* listen(
  query: Parameters<BuildHistory["listen"]>[0],
  {
    options,
    active,
    listeners,
  }: Pick<Store, "options" | "active"> & { readonly listeners: Set<(event: HistoryEvent) => void> },
  call: Call,
): AsyncIterable<HistoryEvent> {
  const filter = createRecordFilter(query.filters ?? []);
  const wanted = ({ record }: HistoryEvent) =>
    (query.ref === undefined || query.ref === record.ref) && filter(record);
  const waiting: HistoryEvent[] = [];
  let wake = () => {};
  const listener = (event: HistoryEvent) => {
    waiting.push(event);
    wake();
  };
  listeners.add(listener);
  try {
    const running = [...active.values()]
      .filter(({ internal }) => !internal)
      .map(({ record }) => ({ type: "started", record }) as const);
    const ended = query.activeOnly
      ? []
      : storedRecords(options.directory).map((record) => ({ type: "complete", record }) as const);
    yield* [...running, ...ended].filter(wanted).slice(0, query.limit ?? Number.POSITIVE_INFINITY);
    if (query.earlyExit) return;
    for (;;) {
      for (let next = waiting.shift(); next; next = waiting.shift()) if (wanted(next)) yield next;
      const more = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await abortable(more, call);
    }
  } finally {
    listeners.delete(listener);
  }
}
