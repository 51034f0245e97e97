// Ways to show a running build: live on a terminal, as plain text, as JSON, or not at all.
import type { Output } from "../report/index.ts";
import type { Display } from "./display.ts";
import type { ProgressModel } from "./model.ts";

export type { Display } from "./display.ts";
export { showProgress } from "./display.ts";
export { explanationJson, explanationLines } from "./explanation.ts";
export type { ProgressModel } from "./model.ts";
export { warningJson } from "./rawjson.ts";
export { failureLines, warningBlock, warningLines, warningTitle } from "./summary.ts";

/** What shows plans; loaded by those that show one. */
export async function loadPlanText(): Promise<typeof import("./plan-text.ts")> {
  return await import("./plan-text.ts");
}

export const progressModes = ["auto", "none", "plain", "quiet", "rawjson", "tty"] as const;
export type ProgressMode = (typeof progressModes)[number];

export interface ProgressOptions {
  readonly now: () => Date;
  readonly env: Readonly<Record<string, string | undefined>>;
  atExit(step: () => void): () => void;
  /** Where the build runs, such as `building with "default" instance using docker driver`. */
  readonly heading?: string;
}

/** A display with what it knows of the build; `rawjson` prints everything and remembers nothing. */
export interface OpenDisplay {
  readonly mode: Exclude<ProgressMode, "auto">;
  readonly display: Display;
  readonly model: ProgressModel | undefined;
}

/** The display for a mode; `auto` is `tty` on a terminal and `plain` elsewhere. Parts are loaded when they are needed. */
export async function openDisplay(
  mode: ProgressMode,
  out: Output,
  options: ProgressOptions,
): Promise<OpenDisplay> {
  const chosen =
    mode === "auto" ? (out.isTerminal && options.env["TERM"] !== "dumb" ? "tty" : "plain") : mode;
  const now = () => options.now().getTime();
  switch (chosen) {
    case "tty": {
      const { TtyDisplay } = await import("./tty.ts");
      const logRows = Number(options.env["BUILDKIT_TTY_LOG_LINES"]) || 6;
      const unicode = showsUnicode(options.env);
      const display = new TtyDisplay(out, {
        ...{ now, unicode, logRows, atExit: options.atExit },
        ...displayRate(options.env["TTY_DISPLAY_RATE"]),
      });
      return { mode: chosen, display, model: display.model };
    }
    case "plain": {
      const { PlainDisplay } = await import("./plain.ts");
      // As the reference: names are whole unless that is refused.
      const cut = options.env["PROGRESS_NO_TRUNC"] === "0";
      const { heading } = options;
      const display = new PlainDisplay(out, now, {
        ...(cut ? { nameLimit: 72 } : {}),
        ...(heading === undefined ? {} : { heading }),
      });
      return { mode: chosen, display, model: display.model };
    }
    case "rawjson": {
      const { RawJsonDisplay } = await import("./rawjson.ts");
      return { mode: chosen, display: new RawJsonDisplay(out), model: undefined };
    }
    default: {
      const { QuietDisplay } = await import("./quiet.ts");
      const display = new QuietDisplay();
      return { mode: chosen, display, model: display.model };
    }
  }
}

/** TTY_DISPLAY_RATE: milliseconds between two pictures, within reason. */
function displayRate(text: string | undefined): { readonly tickMs?: number } {
  if (text === undefined || !/^\d{1,6}$/.test(text) || Number(text) === 0) return {};
  return { tickMs: Math.max(10, Number(text)) };
}

/** What the locale says of the terminal; without a word, it is taken to be of this century. */
function showsUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return locale === "" || /utf-?8/i.test(locale);
}
