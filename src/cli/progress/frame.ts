// One picture of a running build as lines of text: pure, so that every size and state can be looked at in tests.
import { rateText, type Style, secondsText, sizeText } from "../report/index.ts";
import { cleanText } from "./log-lines.ts";
import { isOver, type Line, type ProgressModel, shortDigests, type Transfer } from "./model.ts";
import { cut, padTo, textWidth } from "./text-width.ts";

export interface FrameLook {
  readonly columns: number;
  /** Lines the picture may have. */
  readonly rows: number;
  readonly style: Style;
  readonly glyphs: Glyphs;
  /** Lines of output shown below a running step. */
  readonly logRows: number;
}

/** The signs before a line; all one cell wide. */
export interface Glyphs {
  readonly done: string;
  readonly failed: string;
  readonly cancelled: string;
  readonly spinner: readonly string[];
  readonly rail: string;
  readonly bar: readonly [full: string, empty: string];
  readonly ellipsis: string;
}

/** For terminals that show UTF-8. */
export const unicodeGlyphs: Glyphs = {
  done: "✔",
  failed: "✘",
  cancelled: "⊘",
  spinner: ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
  rail: "│",
  bar: ["━", "─"],
  ellipsis: "…",
};

/** For all others. */
export const asciiGlyphs: Glyphs = {
  done: "*",
  failed: "X",
  cancelled: "!",
  spinner: ["-", "\\", "|", "/"],
  rail: "|",
  bar: ["#", "."],
  ellipsis: "~",
};

/** How long a spinner's sign stands. */
const spinnerMs = 100;

/** Transfers shown below one step; the rest is counted. */
const transferRows = 5;

/** The live picture: header, then steps in the order they began; what does not fit is left out, finished steps first. */
export function liveFrame(model: ProgressModel, nowMs: number, look: FrameLook): string[] {
  const running = model.lines.filter((line) => !isOver(line.state));
  const finished = model.lines.filter((line) => isOver(line.state));
  const room = Math.max(2, look.rows) - 1;
  const shownRunning = running.length <= room ? running : running.slice(0, room - 1);
  const details = shareDetails(
    shownRunning,
    room - shownRunning.length - Math.min(finished.length, 3),
    nowMs,
    look,
  );
  const used =
    shownRunning.length + [...details.values()].reduce((sum, lines) => sum + lines.length, 0);
  const more = running.length - shownRunning.length;
  const spare = room - used - (more > 0 ? 1 : 0);
  const hidden =
    finished.length <= spare ? 0 : Math.min(finished.length, finished.length - spare + 1);
  // Oldest first: the steps that ended last are what people look for.
  const gone = new Set(
    finished.toSorted((a, b) => (a.endedMs ?? 0) - (b.endedMs ?? 0)).slice(0, hidden),
  );
  const body = model.lines
    .filter((line) => !gone.has(line) && (isOver(line.state) || shownRunning.includes(line)))
    .flatMap((line) => [stepLine(line, nowMs, look), ...(details.get(line) ?? [])]);
  const notes = [];
  if (hidden > 0 && spare > 0) notes.push(noteLine(`${hidden} finished`, look));
  if (more > 0) body.push(noteLine(`${more} more running`, look));
  return [headerLine(model, nowMs, look, ""), ...notes, ...body];
}

/** The last picture: every step, however many, because it stays on the screen. */
export function finalFrame(model: ProgressModel, nowMs: number, look: FrameLook): string[] {
  const cancelled = model.lines.some((line) => line.state === "cancelled");
  const word =
    model.failed.length > 0
      ? look.style.red(" FAILED")
      : cancelled
        ? look.style.cancelled(" STOPPED")
        : look.style.blue(" FINISHED");
  return [
    headerLine(model, nowMs, look, word),
    ...model.lines.map((line) => stepLine(line, nowMs, look)),
  ];
}

function headerLine(model: ProgressModel, nowMs: number, look: FrameLook, word: string): string {
  const seconds = secondsText(nowMs - (model.startedMs ?? nowMs));
  return `${look.style.blue(`[+] Building ${seconds} (${model.ended}/${model.total})`)}${word}`;
}

/** Gives running steps the lines below them, one each in turn, until there is no room or nothing to show. */
function shareDetails(
  running: readonly Line[],
  room: number,
  nowMs: number,
  look: FrameLook,
): Map<Line, string[]> {
  const wanted = running.map((line) => ({ line, lines: detailLines(line, nowMs, look), given: 0 }));
  let left = room;
  for (let gave = true; gave && left > 0; ) {
    gave = false;
    for (const one of wanted) {
      if (left === 0 || one.given === one.lines.length) continue;
      one.given++;
      left--;
      gave = true;
    }
  }
  return new Map(
    wanted.map(({ line, lines, given }) => [line, given === 0 ? [] : lines.slice(-given)]),
  );
}

function detailLines(line: Line, nowMs: number, look: FrameLook): string[] {
  const transfers = [...line.transfers.values()];
  const open = transfers.filter((transfer) => !transfer.done);
  const shown = open.slice(0, transferRows).map((transfer) => transferLine(transfer, nowMs, look));
  if (open.length > shown.length)
    shown.push(detail(`${open.length - shown.length} more transfers`, look));
  const last = line.reader.open();
  const texts = [...line.log.map(({ text }) => text), ...(last === "" ? [] : [last])].slice(
    -look.logRows,
  );
  return [...shown, ...texts.map((text) => detail(text, look))];
}

function detail(text: string, look: FrameLook): string {
  const { style, glyphs } = look;
  return `   ${style.dim(glyphs.rail)} ${style.dim(cut(cleanText(text), look.columns - 5, glyphs.ellipsis))}`;
}

function noteLine(text: string, look: FrameLook): string {
  return `   ${look.style.dim(`${look.glyphs.ellipsis} ${text}`)}`;
}

/** ` ✔ [build 2/3] RUN make                 1.2s`: never wider than the terminal. */
export function stepLine(line: Line, nowMs: number, look: FrameLook): string {
  const { style, glyphs, columns } = look;
  const seconds = secondsText((line.endedMs ?? nowMs) - line.startedMs);
  // What came from the cache took no time worth telling.
  const time = line.state === "cached" ? "CACHED" : seconds;
  const mark = line.state === "failed" ? "ERROR " : line.state === "cancelled" ? "CANCELED " : "";
  const room = columns - 3 - mark.length - time.length - 2;
  const name = padTo(
    cut(cleanText(shortDigests(line.name)), Math.max(room, 1), glyphs.ellipsis),
    Math.max(room, 1),
  );
  switch (line.state) {
    case "failed":
      return ` ${style.red(`${glyphs.failed} ${mark}${name}  ${time}`)}`;
    case "cancelled":
      return ` ${style.cancelled(`${glyphs.cancelled} ${mark}${name}`)}  ${style.dim(time)}`;
    case "cached":
    case "done":
      return ` ${style.green(glyphs.done)} ${name}  ${style.dim(time)}`;
    default:
      return ` ${style.cyan(spinner(nowMs, glyphs))} ${style.bold(name)}  ${time}`;
  }
}

function spinner(nowMs: number, glyphs: Glyphs): string {
  return glyphs.spinner[Math.floor(nowMs / spinnerMs) % glyphs.spinner.length] ?? "";
}

/** Width of a bar, where there is room for one. */
const barWidth = 20;

function transferLine(transfer: Transfer, nowMs: number, look: FrameLook): string {
  const { style, glyphs, columns } = look;
  const time = secondsText(nowMs - transfer.startedMs);
  const { current, total } = transfer;
  const amount = total
    ? `${sizeText(current)} / ${sizeText(total)}`
    : current > 0
      ? sizeText(current)
      : "";
  const share = total ? Math.min(1, current / total) : 0;
  const full = Math.round(share * barWidth);
  const wide = total !== undefined && total > 0 && columns >= 100;
  const bar = wide
    ? `${style.cyan(glyphs.bar[0].repeat(full))}${style.dim(glyphs.bar[1].repeat(barWidth - full))}  `
    : "";
  const speed = rateText(current, nowMs - transfer.startedMs);
  const rate = columns >= 100 ? `${speed.padStart(9)}  ` : "";
  const right = `${amount.padStart(21)}  ${rate}${time.padStart(6)}`;
  const room = columns - 5 - right.length - (wide ? barWidth + 2 : 0) - 2;
  const name = padTo(cut(cleanText(shortDigests(transfer.id)), room, glyphs.ellipsis), room);
  return `   ${style.dim(glyphs.rail)} ${name}  ${bar}${right}`;
}

/** Cells a drawn line fills, colour not counted. */
export function drawnWidth(line: string): number {
  return textWidth(line);
}
