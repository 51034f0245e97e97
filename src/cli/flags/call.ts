// --call and --check: `build|check|outline|targets[,format=json][,ignorestatus=true]`.
import { cutPair, readCsv } from "../../base/index.ts";
import { invalidValue, parseBool } from "./values.ts";

/** A question to the frontend instead of a build. */
export interface CallSpec {
  /** `lint` (also spelt `check`), `outline`, `targets`, `subrequests.describe`. */
  readonly name: string;
  readonly format: string;
  /** Exit with 0 whatever was found. */
  readonly ignoreStatus: boolean;
}

/** Reads the value of `--call`. Undefined is a plain build. */
export function parseCall(text: string): CallSpec | undefined {
  let name = "";
  let format = "";
  let ignoreStatus = false;
  for (const field of readCsv(text)) {
    const pair = cutPair(field);
    if (!pair) {
      if (name !== "")
        throw invalidValue(
          "--call",
          text,
          `${JSON.stringify(name)} and ${JSON.stringify(field)} are both methods`,
        );
      name = field;
    } else if (pair[0] === "format") {
      format = pair[1];
    } else if (pair[0] === "ignorestatus") {
      const value = parseBool(pair[1]);
      if (value === undefined)
        throw invalidValue("--call", text, "ignorestatus must be true or false");
      ignoreStatus = value;
    } else {
      throw invalidValue(
        "--call",
        text,
        `unexpected key ${JSON.stringify(pair[0])}`,
        "Keys are format and ignorestatus.",
      );
    }
  }
  if (text === "" || name === "build") return undefined;
  return { name: name === "check" ? "lint" : name, format, ignoreStatus };
}
