// The store of build records: one directory a build, with its record and its progress.
import { createReadStream, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  Build,
  BuildHistory,
  BuildRecord,
  BuildRequest,
  HistoryEvent,
} from "../../api/index.ts";
import { abortable, type Call, digestHex, digestOf, KilnError } from "../../base/index.ts";
import { createRecordFilter } from "./filters.ts";
import { readRecord, writeRecord } from "./record-file.ts";
import { blobsOf } from "./record-files.ts";
import {
  type Active,
  type Hear,
  type HistoryOptions,
  type RecordStore,
  recordBuild,
} from "./recording.ts";
import { readStatusLog } from "./status-log.ts";
import { recordName, statusName, storedRecords } from "./stored-records.ts";

/** Keeps builds in mind. */
export interface History extends BuildHistory {
  /**
   * Starts a build that is written down while it runs; `start` gets what is to hear all its events. `internal` builds can
   * be followed but are not remembered. Throws `REQUEST_INVALID` when a build of that name runs.
   */
  record(request: BuildRequest, start: (hear: Hear) => Build): Build;
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

async function* listen(
  query: Parameters<BuildHistory["listen"]>[0],
  {
    options,
    active,
    listeners,
  }: Pick<RecordStore, "options" | "active"> & {
    readonly listeners: Set<(event: HistoryEvent) => void>;
  },
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
