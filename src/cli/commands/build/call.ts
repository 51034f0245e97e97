// --call: a question to the frontend instead of a build, and how its answer is printed.
import type { Attrs } from "../../../api/index.ts";
import { isRecord, KilnError } from "../../../base/index.ts";
import type { CallSpec } from "../../flags/index.ts";

/** Frontend attributes of the question. */
export function callAttrs(call: CallSpec): Attrs {
  const name = call.name.startsWith("frontend.") ? call.name : `frontend.${call.name}`;
  return { requestid: name, "frontend.caps": "moby.buildkit.frontend.subrequests+forward" };
}

/** What is printed, and the exit code: 1 where checks found something, unless the status is to be ignored. */
export function callAnswer(call: CallSpec, response: Attrs): { text: string; exitCode: number } {
  const json = response["result.json"];
  if (json === undefined)
    throw new KilnError("UNSUPPORTED", `the frontend does not answer --call=${call.name}`);
  const { warnings, mistake } =
    call.name === "lint" ? checkResult(json) : { warnings: 0, mistake: undefined };
  const found = warnings > 0 || mistake !== undefined;
  // BuildKit's frontend gives a status for checks; one that does not is not taken to mean that all is well.
  const status = Number(response["result.statuscode"] ?? 0) || (found ? 1 : 0);
  const text =
    call.format === "json" ? `${json}\n` : plainText(call, json, response["result.txt"] ?? "");
  return { text, exitCode: call.ignoreStatus ? 0 : status };
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

/** The line by which people and scripts know how a check ended, in buildx's words; or the mistake that ended it. */
function checkHeading(json: string): string {
  const { warnings, mistake } = checkResult(json);
  const error = mistake === undefined ? "" : `ERROR: ${mistake}\n`;
  if (warnings === 0) return error || "Check complete, no warnings found.\n";
  return `${error}Check complete, ${warnings} warning${warnings === 1 ? " has" : "s have"} been found!\n`;
}

function checkResult(json: string): { warnings: number; mistake: string | undefined } {
  const result: unknown = JSON.parse(json);
  if (!isRecord(result)) return { warnings: 0, mistake: undefined };
  const { warnings, buildError } = result as { warnings?: unknown; buildError?: unknown };
  const message = isRecord(buildError) ? buildError["message"] : undefined;
  return {
    warnings: Array.isArray(warnings) ? warnings.length : 0,
    mistake: buildError === undefined ? undefined : String(message ?? "the file cannot be built"),
  };
}
