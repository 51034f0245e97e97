// What the runtime itself had to say, apart from the step's own output.
import { readFileSync } from "node:fs";

/** Longest log that is looked at, in characters; runtimes write a line or two. */
const maxLogLength = 64 * 1024;

/** The last error in a runtime's JSON log (`--log-format json`); undefined when it wrote none. */
export function runtimeError(logFile: string): string | undefined {
  const text = readLog(logFile).slice(-maxLogLength);
  return text
    .split("\n")
    .flatMap((line) => messageOf(line) ?? [])
    .at(-1);
}

function readLog(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function messageOf(line: string): string | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null) return undefined;
    const { level, msg } = entry as { readonly level?: unknown; readonly msg?: unknown };
    const isError = level === "error" || level === "fatal";
    return isError && typeof msg === "string" ? msg : undefined;
  } catch {
    return undefined;
  }
}
