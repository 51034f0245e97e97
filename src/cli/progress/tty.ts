// Live progress on a terminal: a picture of the build redrawn in place.
import type { BuildEvent } from "../../api/index.ts";
import type { Output } from "../report/index.ts";
import type { Display } from "./display.ts";
import {
  asciiGlyphs,
  drawnWidth,
  type FrameLook,
  finalFrame,
  type Glyphs,
  liveFrame,
  unicodeGlyphs,
} from "./frame.ts";
import { ProgressModel } from "./model.ts";

export interface TtyOptions {
  readonly now: () => number;
  readonly unicode: boolean;
  /** Lines of output below a running step. */
  readonly logRows: number;
  /** Milliseconds between two pictures; twelve a second where absent. */
  readonly tickMs?: number;
  /** Runs the step when the process ends, so that the cursor comes back; returns how to take it back. */
  atExit(step: () => void): () => void;
}

/** The picture is no narrower than this where the terminal is wider. */
const narrowest = 100;
/** Cells that a step's line needs besides its name. */
const besideName = 24;

/** Smooth enough, and leaves the processor to the build. */
const usualTickMs = 80;

const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
/** Terminals that know it show the picture at once; others ignore it. */
const beginUpdate = "\u001b[?2026h";
const endUpdate = "\u001b[?2026l";
const clearLine = "\u001b[K";
const clearBelow = "\u001b[J";

export class TtyDisplay implements Display {
  readonly tickMs: number;
  readonly model: ProgressModel = new ProgressModel({ colored: false });
  readonly #out: Output;
  readonly #options: TtyOptions;
  readonly #glyphs: Glyphs;
  readonly #takeBack: () => void;
  #drawn: readonly string[] = [];
  #drawnColumns = 0;

  constructor(out: Output, options: TtyOptions) {
    this.#out = out;
    this.#options = options;
    this.tickMs = options.tickMs ?? usualTickMs;
    this.#glyphs = options.unicode ? unicodeGlyphs : asciiGlyphs;
    this.#takeBack = options.atExit(() => out.write(showCursor));
    out.write(hideCursor);
  }

  event(event: BuildEvent): void {
    this.model.apply(event);
  }

  tick(): void {
    if (this.model.startedMs === undefined) return;
    this.#draw(liveFrame(this.model, this.#options.now(), this.#look()));
  }

  end(): void {
    this.model.end();
    if (this.model.startedMs !== undefined)
      this.#draw(finalFrame(this.model, this.#options.now(), this.#look()));
    this.#out.write(showCursor);
    this.#takeBack();
  }

  #look(): FrameLook {
    const { rows, style } = this.#out;
    // On a wide terminal the times stay near the names, where eyes are.
    const columns = Math.min(
      this.#out.columns,
      Math.max(narrowest, this.model.longestName + besideName),
    );
    // The last row stays free for the cursor, so that drawing never scrolls.
    return { columns, rows: rows - 1, style, glyphs: this.#glyphs, logRows: this.#options.logRows };
  }

  #draw(lines: readonly string[]): void {
    const columns = this.#out.columns;
    const resized = this.#drawnColumns !== 0 && this.#drawnColumns !== columns;
    const up = resized ? this.#rowsAt(columns) : this.#drawn.length;
    const before = resized ? [] : this.#drawn;
    let text = beginUpdate + (up > 0 ? `\u001b[${up}A\r` : "\r");
    if (resized) text += clearBelow;
    lines.forEach((line, at) => {
      // A line that stands there already is stepped over, not written again.
      text += before[at] === line ? "\n" : `${line}${clearLine}\n`;
    });
    if (before.length > lines.length) text += clearBelow;
    this.#out.write(text + endUpdate);
    this.#drawn = lines;
    this.#drawnColumns = columns;
  }

  /** Rows that the last picture fills now that the terminal has wrapped it anew. */
  #rowsAt(columns: number): number {
    const rows = this.#drawn.map((line) =>
      Math.max(1, Math.ceil(drawnWidth(line) / Math.max(1, columns))),
    );
    return Math.min(
      rows.reduce((sum, count) => sum + count, 0),
      Math.max(0, this.#out.rows - 1),
    );
  }
}
