// What a daemon tells its operator: lines as the reference's daemon logs them (logrus), as text or JSON.
import { KilnError, quoteGo } from "../../../base/index.ts";

export type LogLevel = "trace" | "debug" | "info" | "warning" | "error";

export type Say = (level: LogLevel, message: string) => void;

/** From the most to the least that is said; `fatal` and `panic` say nothing that a daemon which lives could. */
const order: readonly string[] = ["trace", "debug", "info", "warning", "error", "fatal", "panic"];

/** Throws `FLAG_INVALID`. */
export function readLogLevel(text: string): LogLevel {
  const name = text.toLowerCase() === "warn" ? "warning" : text.toLowerCase();
  if (order.includes(name)) return name as LogLevel;
  throw new KilnError("FLAG_INVALID", `not a valid log level: ${JSON.stringify(text)}`, {
    hint: `Levels are ${order.join(", ")}.`,
  });
}

/** `now` says when; lines go to `write` whole. */
export function daemonLog(
  { format, least }: { readonly format: "text" | "json"; readonly least: LogLevel },
  now: () => Date,
  write: (line: string) => void,
): Say {
  return (level, message) => {
    if (order.indexOf(level) < order.indexOf(least)) return;
    const time = now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    write(
      format === "json"
        ? `${JSON.stringify({ level, msg: message, time })}\n`
        : `time="${time}" level=${level} msg=${/^[\w./@^+-]+$/.test(message) ? message : quoteGo(message)}\n`,
    );
  };
}
