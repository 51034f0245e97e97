// Writing down a build while it runs, and what became of it.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  Build,
  BuildEvent,
  BuildRecord,
  BuildRequest,
  BuildResult,
  HistoryEvent,
} from "../../api/index.ts";
import { digestHex, KilnError, log } from "../../base/index.ts";
import { writeRecord } from "./record-file.ts";
import { resultsOf, traceBlob } from "./record-files.ts";
import { StatusLog } from "./status-log.ts";
import { collect, type RecordLimits, recordName, statusName } from "./stored-records.ts";
import { wireError } from "./wire-errors.ts";
import { WireEvents } from "./wire-events.ts";

const debug = log("history");

/** Milliseconds for which internal builds can be followed after their end. */
const internalStay = 10_000;
const logsMediaType = "application/vnd.buildkit.status.v0";

export interface HistoryOptions extends RecordLimits {
  readonly directory: string;
  readonly now: () => Date;
  /** Bytes that are told of one step's output; the reference's 2 MiB where absent. */
  readonly stepLogLimit?: number;
}

/** Called with every event of a build, in order. */
export type Hear = (event: BuildEvent) => void;

/** A build that runs, or whose end is being written. */
export interface Active {
  record: BuildRecord;
  /** True for internal builds that have ended and can still be followed for a moment. */
  over?: boolean;
  readonly internal: boolean;
  readonly log: StatusLog;
}

/** Where builds are written down, and who hears of it. */
export interface RecordStore {
  readonly options: HistoryOptions;
  readonly active: Map<string, Active>;
  readonly tell: (event: HistoryEvent) => void;
  readonly placeOf: (ref: string) => string;
  readonly remove: (record: BuildRecord) => void;
}

/** Starts a build and writes down what it does. Throws `REQUEST_INVALID` when one of its name runs. */
export function recordBuild(
  request: BuildRequest,
  start: (hear: Hear) => Build,
  store: RecordStore,
): Build {
  const { options, active, tell, placeOf, remove } = store;
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
    collect(options.directory, options, options.now().getTime(), remove);
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
