// Progress for programs: BuildKit's SolveStatus as JSON, one document a line.
import type { BuildEvent, Warning } from "../../api/index.ts";
import type { Digest } from "../../base/index.ts";
import type { Output } from "../report/index.ts";
import type { Display } from "./display.ts";

/** A vertex as BuildKit's client prints it: times in RFC 3339, absent until they happen. */
interface VertexJson {
  readonly digest: Digest;
  readonly inputs?: readonly Digest[];
  readonly name: string;
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: true;
  readonly error?: string;
  readonly progressGroup?: { readonly id: string; readonly name?: string; readonly weak?: boolean };
}

/** Prints every event as one line of `{"vertexes":[…]}`, `{"statuses":[…]}`, `{"logs":[…]}` or `{"warnings":[…]}`. */
export class RawJsonDisplay implements Display {
  readonly #out: Output;
  readonly #begun = new Map<Digest, string>();
  readonly #transfers = new Map<string, string>();

  constructor(out: Output) {
    this.#out = out;
  }

  event(event: BuildEvent): void {
    const document = this.#document(event);
    if (document) this.#out.write(`${JSON.stringify(document)}\n`);
  }

  end(): void {}

  #document(event: BuildEvent): Readonly<Record<string, unknown>> | undefined {
    switch (event.type) {
      case "step":
        return { vertexes: [this.#vertex(event)] };
      case "progress":
        return { statuses: [this.#status(event)] };
      case "log":
        return {
          logs: [
            {
              vertex: event.step,
              stream: event.stream,
              data: base64(event.data),
              timestamp: event.at,
            },
          ],
        };
      case "warning":
        return { warnings: [warningJson(event.warning, event.step)] };
      case "explanation":
        // No part of the reference's format.
        return undefined;
    }
  }

  #vertex(event: Extract<BuildEvent, { type: "step" }>): VertexJson {
    const at = event.at.toISOString();
    if (event.state !== "planned" && !this.#begun.has(event.step)) this.#begun.set(event.step, at);
    const started = this.#begun.get(event.step);
    const over = event.state !== "planned" && event.state !== "started";
    const error = event.error ?? (event.state === "cancelled" ? "context canceled" : undefined);
    return {
      digest: event.step,
      ...(event.inputs?.length ? { inputs: event.inputs } : {}),
      name: event.name,
      ...(started === undefined ? {} : { started }),
      ...(over ? { completed: at } : {}),
      ...(event.state === "cached" ? { cached: true } : {}),
      ...(error === undefined ? {} : { error }),
      ...(event.group ? { progressGroup: event.group } : {}),
    };
  }

  #status(event: Extract<BuildEvent, { type: "progress" }>): Readonly<Record<string, unknown>> {
    const at = event.at.toISOString();
    const key = `${event.step} ${event.id}`;
    const started = this.#transfers.get(key) ?? at;
    this.#transfers.set(key, started);
    return {
      id: event.id,
      vertex: event.step,
      current: event.current,
      ...(event.total === undefined ? {} : { total: event.total }),
      timestamp: at,
      started,
      ...(event.done ? { completed: at } : {}),
    };
  }
}

/** BuildKit's VertexWarning: texts are bytes there, so base64 here; lines count from 1, columns from 0. */
export function warningJson(
  warning: Warning,
  step: Digest | undefined,
): Readonly<Record<string, unknown>> {
  const { at } = warning;
  const start = at && positionJson(at.line, at.column);
  const end = at && positionJson(at.endLine ?? at.line, at.endColumn ?? at.column);
  return {
    ...(step === undefined ? {} : { vertex: step }),
    level: 1,
    short: base64(warning.rule === undefined ? warning.message : shortOf(warning)),
    ...(warning.detail ? { detail: warning.detail.map(base64) } : {}),
    ...(warning.url === undefined ? {} : { url: warning.url }),
    ...(at
      ? {
          sourceInfo: {
            filename: at.file,
            ...(at.text === undefined ? {} : { data: base64(at.text) }),
            language: "Dockerfile",
          },
          range: [{ start, end }],
        }
      : {}),
  };
}

/** Columns count from 0 there, and the first one goes without saying. */
function positionJson(line: number, column = 1): Readonly<Record<string, number>> {
  return { line, ...(column > 1 ? { character: column - 1 } : {}) };
}

/** Checks name themselves before, and their line behind. */
function shortOf({ rule, message, at }: Warning): string {
  return `${rule}: ${message}${at ? ` (line ${at.line})` : ""}`;
}

function base64(data: Uint8Array | string): string {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let binary = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192)
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}
