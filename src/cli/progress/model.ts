// What is known of a running build, gathered from its events: lines (steps, or groups of steps) and what they are doing.
import type { BuildEvent, StepState, Warning } from "../../api/index.ts";
import type { Digest } from "../../base/index.ts";
import { type LogLine, LogLines } from "./log-lines.ts";

/** One piece of work inside a step, such as a layer that is being downloaded. */
export interface Transfer {
  readonly id: string;
  readonly startedMs: number;
  readonly updatedMs: number;
  readonly current: number;
  readonly total: number | undefined;
  readonly done: boolean;
}

/** A step as people see it: one vertex, or all vertices of one progress group. Owned by the model, changed by it alone. */
export interface Line {
  readonly key: string;
  /** From 1, in order of first start. */
  readonly number: number;
  name: string;
  state: StepState;
  startedMs: number;
  endedMs: number | undefined;
  error: string | undefined;
  /** Path of the whole output of a failed step. */
  logPath: string | undefined;
  readonly transfers: Map<string, Transfer>;
  /** Transfers that began after the line had ended, such as layers fetched once they are needed: it runs again meanwhile. */
  readonly late: Set<string>;
  /** Last lines of output, oldest first, at most `keptLogLines`. */
  readonly log: LogLine[];
  readonly reader: LogLines;
  readonly members: Map<
    Digest,
    { state: StepState; startedMs: number; endedMs: number | undefined }
  >;
}

/** Lines of output kept for each step, to be shown if it fails. */
export const keptLogLines = 200;

/** What an event changed, for displays that print as they go. */
export type Change =
  | { readonly type: "started" | "ended"; readonly line: Line }
  | {
      readonly type: "transfer";
      readonly line: Line;
      readonly transfer: Transfer;
      readonly fresh: boolean;
    }
  | { readonly type: "log"; readonly line: Line; readonly lines: readonly LogLine[] }
  | { readonly type: "warning"; readonly line: Line | undefined; readonly warning: Warning };

/** The build so far. Feeding it events is the only way it changes. */
export class ProgressModel {
  readonly lines: Line[] = [];
  readonly warnings: Warning[] = [];
  readonly #colored: boolean;
  readonly #byStep = new Map<Digest, Line>();
  readonly #byKey = new Map<string, Line>();
  /** Steps known but not begun: they count in the total. */
  readonly #planned = new Set<string>();
  #startedMs: number | undefined;
  #latestMs = 0;
  #longestName = 0;

  constructor(options: { readonly colored: boolean }) {
    this.#colored = options.colored;
  }

  /** Time of the first event, or undefined before it. */
  get startedMs(): number | undefined {
    return this.#startedMs;
  }

  get latestMs(): number {
    return this.#latestMs;
  }

  /** Length of the longest name so far: it only grows, so that what is laid out by it stands still. */
  get longestName(): number {
    return this.#longestName;
  }

  /** Lines that have ended, whatever the way. */
  get ended(): number {
    return this.lines.reduce((sum, line) => sum + (isOver(line.state) ? 1 : 0), 0);
  }

  /** All lines known, begun or not. */
  get total(): number {
    return this.lines.length + this.#planned.size;
  }

  /** The lines that failed, in order; cancelled ones are not failures. */
  get failed(): readonly Line[] {
    return this.lines.filter((line) => line.state === "failed");
  }

  /** The build is over: what still runs was cancelled, what was still being fetched is let go. */
  end(): void {
    for (const line of this.lines.filter(({ state }) => !isOver(state))) {
      line.late.clear();
      for (const member of line.members.values()) {
        if (!isOver(member.state))
          Object.assign(member, { state: "cancelled", endedMs: this.#latestMs });
      }
      settle(line);
    }
  }

  apply(event: BuildEvent): readonly Change[] {
    const at = event.at.getTime();
    this.#startedMs ??= at;
    this.#latestMs = Math.max(this.#latestMs, at);
    switch (event.type) {
      case "step":
        return this.#step(event, at);
      case "progress":
        return this.#progress(event, at);
      case "log":
        return this.#log(event, at);
      case "warning":
        return this.#warning(event);
      case "explanation":
        return [];
    }
  }

  #step(event: Extract<BuildEvent, { type: "step" }>, at: number): Change[] {
    const key = event.group?.id ?? event.step;
    if (event.state === "planned") {
      if (!this.#byKey.has(key)) this.#planned.add(key);
      return [];
    }
    const known = this.#byKey.get(key);
    const line = known ?? this.#begin(key, event.group?.name ?? event.name, at);
    this.#byStep.set(event.step, line);
    const member = line.members.get(event.step) ?? {
      state: "started" as StepState,
      startedMs: at,
      endedMs: undefined,
    };
    line.members.set(event.step, member);
    const was = line.state;
    member.state = event.state;
    member.endedMs = isOver(event.state) ? at : undefined;
    if (event.error !== undefined) line.error = event.error;
    if (event.log !== undefined) line.logPath = event.log;
    settle(line);
    const changes: Change[] = known ? [] : [{ type: "started", line }];
    if (isOver(line.state) && (!isOver(was) || !known)) changes.push(...this.#close(line, at));
    return changes;
  }

  #begin(key: string, name: string, at: number): Line {
    this.#planned.delete(key);
    this.#longestName = Math.max(this.#longestName, shortDigests(name).length);
    const line: Line = {
      key,
      number: this.lines.length + 1,
      name,
      state: "started",
      startedMs: at,
      endedMs: undefined,
      error: undefined,
      logPath: undefined,
      transfers: new Map(),
      late: new Set(),
      log: [],
      reader: new LogLines(this.#colored),
      members: new Map(),
    };
    this.lines.push(line);
    this.#byKey.set(key, line);
    return line;
  }

  #close(line: Line, at: number): Change[] {
    const rest = line.reader.end();
    const changes: Change[] = rest.length > 0 ? [keepLog(line, rest, at)] : [];
    return [...changes, { type: "ended", line }];
  }

  #progress(event: Extract<BuildEvent, { type: "progress" }>, at: number): Change[] {
    const line = this.#byStep.get(event.step);
    if (!line) return [];
    const before = line.transfers.get(event.id);
    const transfer: Transfer = {
      id: event.id,
      startedMs: before?.startedMs ?? at,
      updatedMs: at,
      current: event.current,
      total: event.total ?? before?.total,
      done: event.done ?? false,
    };
    line.transfers.set(event.id, transfer);
    const changes: Change[] = [{ type: "transfer", line, transfer, fresh: !before }];
    if (!transfer.done && isOver(line.state)) line.late.add(event.id);
    else if (!transfer.done || !line.late.delete(event.id)) return changes;
    settle(line, at);
    return isOver(line.state) ? [...changes, { type: "ended", line }] : changes;
  }

  #log(event: Extract<BuildEvent, { type: "log" }>, at: number): Change[] {
    const line = this.#byStep.get(event.step);
    if (!line) return [];
    const lines = line.reader.add(event.stream, event.data);
    return lines.length > 0 ? [keepLog(line, lines, at)] : [];
  }

  #warning({ warning, step }: Extract<BuildEvent, { type: "warning" }>): Change[] {
    const same = (other: Warning) =>
      other.message === warning.message &&
      other.at?.line === warning.at?.line &&
      other.at?.file === warning.at?.file;
    // Every platform's build finds the same mistakes: one word for each is enough.
    if (this.warnings.some(same)) return [];
    this.warnings.push(warning);
    return [{ type: "warning", line: step && this.#byStep.get(step), warning }];
  }
}

/** Digests are known by their beginning: 12 of 64 digits where a person looks. */
export function shortDigests(text: string): string {
  return text.replace(/sha256:([0-9a-f]{12})[0-9a-f]{52}/g, "sha256:$1");
}

/** True for states that a step does not leave. */
export function isOver(state: StepState): boolean {
  return state !== "planned" && state !== "started";
}

/**
 * A group has failed when one of its steps has, runs while one of them does or a transfer goes on, and is cached when all
 * are and nothing had to be fetched.
 */
function settle(line: Line, fetchedMs = 0): void {
  const members = [...line.members.values()];
  const has = (state: StepState) => members.some((member) => member.state === state);
  if (has("started") || line.late.size > 0) line.state = "started";
  else if (has("failed")) line.state = "failed";
  else if (has("cancelled")) line.state = "cancelled";
  else line.state = members.every((member) => member.state === "cached") ? "cached" : "done";
  const ends = members.map((member) => member.endedMs ?? 0);
  line.endedMs = isOver(line.state) ? Math.max(fetchedMs, ...ends) : undefined;
}

function keepLog(line: Line, texts: readonly string[], at: number): Change {
  const lines = texts.map((text) => ({ text, atMs: at - line.startedMs }));
  line.log.push(...lines.slice(-keptLogLines));
  if (line.log.length > keptLogLines) line.log.splice(0, line.log.length - keptLogLines);
  return { type: "log", line, lines };
}
