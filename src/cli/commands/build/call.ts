// --call: a question to the frontend instead of a build, and how its answer is printed.
import type { Attrs } from "../../../api/index.ts";
import { isRecord, KilnError } from "../../../base/index.ts";
import type { CallSpec } from "../../flags/index.ts";
import { sourceText } from "../buildctl/source-excerpt.ts";

/** Frontend attributes of the question. */
export function callAttrs(call: CallSpec): Attrs {
  const name = call.name.startsWith("frontend.") ? call.name : `frontend.${call.name}`;
  return { requestid: name, "frontend.caps": "moby.buildkit.frontend.subrequests+forward" };
}

export interface CallAnswer {
  /** For standard output. */
  readonly text: string;
  /** What ended a check, for standard error; empty where nothing did. */
  readonly failure: string;
  readonly exitCode: number;
}

/** What is printed; the exit code is 1 where checks found something, unless the status is to be ignored. */
export function callAnswer(call: CallSpec, response: Attrs): CallAnswer {
  const json = response["result.json"];
  if (json === undefined)
    throw new KilnError("UNSUPPORTED", `the frontend does not answer --call=${call.name}`);
  const { warnings, mistake } = call.name === "lint" ? checkResult(json) : noResult;
  const found = warnings > 0 || mistake !== "";
  // BuildKit's frontend gives a status for checks; one that does not is not taken to mean that all is well.
  const status = Number(response["result.statuscode"] ?? 0) || (found ? 1 : 0);
  const text =
    call.format === "json" ? `${json}\n` : plainText(call, json, response["result.txt"] ?? "");
  // A file that cannot be built is more than something found.
  return { text, failure: mistake, exitCode: call.ignoreStatus && mistake === "" ? 0 : status };
}

function plainText(call: CallSpec, json: string, text: string): string {
  if (call.format !== "" && call.format !== "text") {
    throw new KilnError(
      "FLAG_INVALID",
      `invalid format ${JSON.stringify(call.format)} for --call`,
      {
        hint: "Formats are json and text.",
      },
    );
  }
  return call.name === "lint" ? checkHeading(json) + text : text;
}

/** The line by which people and scripts know how a check ended, in buildx's words. */
function checkHeading(json: string): string {
  const { warnings, mistake } = checkResult(json);
  if (warnings === 0) return mistake === "" ? "Check complete, no warnings found.\n" : "";
  return `Check complete, ${warnings} warning${warnings === 1 ? " has" : "s have"} been found!\n`;
}

interface CheckResult {
  readonly warnings: number;
  /** What ended the check, with its lines of the file; ends in a line break. */
  readonly mistake: string;
}

const noResult: CheckResult = { warnings: 0, mistake: "" };

function checkResult(json: string): CheckResult {
  const result: unknown = JSON.parse(json);
  if (!isRecord(result)) return noResult;
  const { warnings, buildError, sources } = result;
  const error = isRecord(buildError) ? buildError : undefined;
  const message = error?.["message"] ?? "the file cannot be built";
  return {
    warnings: Array.isArray(warnings) ? warnings.length : 0,
    mistake:
      buildError === undefined ? "" : `ERROR: ${message}\n${excerpt(error?.["location"], sources)}`,
  };
}

/** The lines that are meant, where the answer has them. */
function excerpt(location: unknown, sources: unknown): string {
  if (!isRecord(location) || !Array.isArray(location["ranges"]) || !Array.isArray(sources))
    return "";
  const source: unknown = sources[Number(location["sourceIndex"] ?? 0)];
  if (!isRecord(source) || typeof source["data"] !== "string") return "";
  const text = new TextDecoder().decode(
    Uint8Array.from(atob(source["data"]), (character) => character.charCodeAt(0)),
  );
  const lineOf = (position: unknown) => (isRecord(position) ? Number(position["line"] ?? 0) : 0);
  const ranges = location["ranges"].filter(isRecord).map(({ start, end }) => ({
    start: lineOf(start),
    end: lineOf(end) || lineOf(start),
  }));
  return sourceText({ file: String(source["filename"]), text, ranges });
}
