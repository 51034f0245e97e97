// Plain progress: numbered steps and their output as text, one after another, for logs and pipes.
import type { BuildEvent } from "../../api/index.ts";
import { type Output, rateText, sizeText } from "../report/index.ts";
import type { Display } from "./display.ts";
import { type Change, isOver, type Line, ProgressModel, type Transfer } from "./model.ts";
import { warningTitle } from "./summary.ts";

/** A step that says nothing for this long lets others speak. */
const quietMs = 1000;

/** Daemons tell what a step has said after its end, and of a step that they look at twice that it has ended twice. */
const settleMs = 100;

/** Nobody waits longer than this for a step that goes on talking. */
const patienceMs = 10_000;

/** Transfers that took no longer have no time beside them. */
const shownMs = 10;

/** A transfer that goes on is told about this often. */
const transferMs = 5000;

interface Pending {
  readonly line: Line;
  readonly texts: string[];
  /** Its name has not been printed yet. */
  announce: boolean;
  /** When its end was heard of, which has not been printed yet. */
  endedAt: number | undefined;
  over: boolean;
}

function shortened(name: string, limit: number): string {
  return name.length > limit ? `${name.slice(0, limit)}...` : name;
}

/**
 * Prints `#5 [build 2/3] RUN make`, `#5 0.123 output`, `#5 DONE 0.3s` as buildx does. One step speaks at a time; another gets
 * its turn when that one is over or silent, so that output of parallel steps stays readable.
 */
export class PlainDisplay implements Display {
  readonly tickMs: number = settleMs;
  readonly model: ProgressModel;
  readonly #out: Output;
  readonly #now: () => number;
  readonly #nameLimit: number;
  readonly #pending = new Map<string, Pending>();
  readonly #told = new Map<string, number>();
  #current: Line | undefined;
  #spokeAt = 0;
  #turnAt = 0;

  /** `nameLimit` is the longest name, in characters, that is shown whole; `heading` stands above all. */
  constructor(
    out: Output,
    now: () => number,
    {
      nameLimit = Number.POSITIVE_INFINITY,
      heading,
    }: { readonly nameLimit?: number; readonly heading?: string } = {},
  ) {
    this.#out = out;
    this.#nameLimit = nameLimit;
    this.#now = now;
    if (heading !== undefined) out.write(`${out.style.blue("#0")} ${heading}\n\n`);
    this.model = new ProgressModel({ colored: out.style.colored });
  }

  event(event: BuildEvent): void {
    for (const change of this.model.apply(event)) this.#change(change);
    this.#flush(false);
  }

  tick(): void {
    this.#flush(false);
  }

  end(): void {
    this.#flush(true);
  }

  #change(change: Change): void {
    const { line } = change;
    // The end of the build has all warnings: who is late for its step waits for that.
    if (!line || (change.type === "warning" && !this.#speaks(line))) return;
    const pending = this.#pending.get(line.key) ?? {
      line,
      texts: [],
      announce: false,
      endedAt: undefined,
      over: false,
    };
    this.#pending.set(line.key, pending);
    if (change.type === "started") pending.announce = true;
    else if (change.type === "transfer")
      pending.texts.push(...this.#transferTexts(line, change.transfer, change.fresh));
    else if (change.type === "log") {
      pending.texts.push(
        ...change.lines.map(({ text, atMs }) => `${(atMs / 1000).toFixed(3)} ${text}`),
      );
    } else if (change.type === "warning")
      pending.texts.push(this.#out.style.yellow(`WARN: ${warningTitle(change.warning)}`));
    else pending.endedAt = this.#now();
  }

  /** Its end has not been printed yet. */
  #speaks(line: Line): boolean {
    return this.#pending.has(line.key) || !isOver(line.state);
  }

  /** Ends that nothing has come after. */
  #settle(all: boolean): void {
    for (const pending of this.#pending.values()) {
      if (pending.endedAt === undefined) continue;
      if (!isOver(pending.line.state)) pending.endedAt = undefined;
      else if (all || this.#now() - pending.endedAt >= settleMs) {
        pending.texts.push(this.#endText(pending.line));
        pending.endedAt = undefined;
        pending.over = true;
      }
    }
  }

  #transferTexts(line: Line, transfer: Transfer, fresh: boolean): string[] {
    const key = `${line.key} ${transfer.id}`;
    const last = this.#told.get(key);
    const due = last === undefined ? fresh : transfer.updatedMs - last >= transferMs;
    if (!transfer.done && !due) return [];
    this.#told.set(key, transfer.updatedMs);
    const amount = transfer.total
      ? `${sizeText(transfer.current)} / ${sizeText(transfer.total)}`
      : sizeText(transfer.current);
    const ms = transfer.updatedMs - transfer.startedMs;
    const rate = rateText(transfer.current, ms);
    const seconds =
      ms > shownMs ? ` ${(ms / 1000).toFixed(1)}s${rate === "" ? "" : ` (${rate})`}` : "";
    const words =
      transfer.current === 0 && !transfer.total ? transfer.id : `${transfer.id} ${amount}`;
    if (!transfer.done) return fresh ? [] : [`${words}${seconds}`];
    return [`${words}${seconds} done`];
  }

  #endText(line: Line): string {
    const { style } = this.#out;
    const seconds = `${(((line.endedMs ?? line.startedMs) - line.startedMs) / 1000).toFixed(1)}s`;
    if (line.state === "cached") return style.green("CACHED");
    if (line.state === "failed") return style.red(`ERROR: ${line.error ?? "failed"}`);
    if (line.state === "cancelled") return style.cancelled("CANCELED");
    return `DONE ${seconds}`;
  }

  /** Lets the current step speak, then hands on the word while somebody else has it coming. */
  #flush(all: boolean): void {
    this.#settle(all);
    for (;;) {
      const current = this.#current && this.#pending.get(this.#current.key);
      if (current) this.#speak(current);
      if (current && !all && !current.over && !this.#mayInterrupt()) return;
      const next = this.#next(current);
      if (!next) return;
      if (this.#current && current && !current.over) this.#print(this.#current, "...");
      if (this.#current) this.#out.write("\n");
      this.#current = next.line;
      this.#print(next.line, this.#out.style.bold(shortened(next.line.name, this.#nameLimit)));
      this.#spokeAt = this.#now();
      this.#turnAt = this.#spokeAt;
    }
  }

  #mayInterrupt(): boolean {
    const now = this.#now();
    return now - this.#spokeAt >= quietMs || now - this.#turnAt >= patienceMs;
  }

  #speak(pending: Pending): void {
    for (const text of pending.texts.splice(0)) {
      this.#print(pending.line, text);
      this.#spokeAt = this.#now();
    }
    pending.announce = false;
    if (pending.over) this.#pending.delete(pending.line.key);
  }

  /** Finished steps first, then by number; steps with nothing to say wait. */
  #next(current: Pending | undefined): Pending | undefined {
    const next = [...this.#pending.values()]
      .filter((one) => one !== current && (one.texts.length > 0 || one.announce))
      .sort((a, b) => Number(b.over) - Number(a.over) || a.line.number - b.line.number)[0];
    if (next) next.announce = false;
    return next;
  }

  #print(line: Line, text: string): void {
    this.#out.write(`${this.#out.style.blue(`#${line.number}`)} ${text}\n`);
  }
}
