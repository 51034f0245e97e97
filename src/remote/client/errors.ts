// How a build failed on a daemon, as an error that says where.
import { Buffer } from "node:buffer";
import { isRecord, KilnError, type SourcePlace } from "../../base/index.ts";
import { errdefs } from "../../formats/proto/index.ts";
import { fromStatus, StatusError } from "../grpc/index.ts";
import { placeOf } from "./status.ts";

/**
 * The error itself where it is no status. A place in a source file is taken from the details; `details.said` has BuildKit's
 * words where a daemon of Kiln's sent its own besides.
 */
export function buildError(error: unknown): unknown {
  if (!(error instanceof StatusError)) return error;
  const told = fromStatus(error);
  const at = error.details.flatMap(({ typeUrl, value }) => {
    const place = /errdefs\.Source\b/.test(typeUrl) ? readSource(value) : undefined;
    return place ? [place] : [];
  })[0];
  const code = /did not complete successfully/.test(told.message) ? "PROCESS_FAILED" : told.code;
  return new KilnError(code, told.message.replace(/^failed to solve: /, ""), {
    // BuildKit's words for the same are no reason of it.
    ...(told.message === error.message ? { cause: error } : {}),
    details:
      told.message === error.message ? told.details : { ...told.details, said: error.message },
    ...(told.hint === undefined ? {} : { hint: told.hint }),
    ...(at ? { at } : {}),
  });
}

/** Details are JSON as Go writes the message, or the message itself. What cannot be read is left out. */
function readSource(value: Uint8Array): SourcePlace | undefined {
  try {
    if (value[0] !== 0x7b) {
      const { info, ranges } = errdefs.Source.decode(value);
      return placeOf(info, ranges);
    }
    const source: unknown = JSON.parse(new TextDecoder().decode(value));
    if (!isRecord(source) || !isRecord(source["info"]) || !Array.isArray(source["ranges"]))
      return undefined;
    const { filename, data } = source["info"];
    const range: unknown = source["ranges"][0];
    if (!isRecord(range)) return undefined;
    const line = lineOf(range["start"]);
    const endLine = lineOf(range["end"]);
    if (line === undefined || typeof filename !== "string") return undefined;
    return {
      file: filename,
      line,
      ...(endLine !== undefined && endLine >= line ? { endLine } : {}),
      ...(typeof data === "string" ? { text: Buffer.from(data, "base64").toString("utf8") } : {}),
    };
  } catch {
    return undefined;
  }
}

function lineOf(position: unknown): number | undefined {
  const line = isRecord(position) ? position["line"] : undefined;
  return typeof line === "number" && Number.isSafeInteger(line) && line > 0 ? line : undefined;
}
