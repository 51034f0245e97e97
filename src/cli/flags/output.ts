// --output: where the result goes. `PATH`, `-`, or `type=TYPE[,dest=PATH][,KEY=VALUE...]`.
import { cutPair, KilnError, readCsv, sortedPairs, writeCsv } from "../../base/index.ts";
import { invalidValue } from "./values.ts";

/** One wanted output. `dest` `-` is standard output. */
export interface Output {
  readonly type: string;
  readonly dest?: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/** Reads the values of `--output`; empty ones say nothing. Unknown types are left for the builder to refuse. */
export function parseOutputs(values: readonly string[]): readonly Output[] {
  return values.filter((value) => value !== "").map(parseOutput);
}

function parseOutput(text: string): Output {
  const fields = readCsv(text);
  if (fields.length === 1 && fields[0] === text && !text.startsWith("type=")) {
    return text === "-"
      ? { type: "tar", dest: "-", attrs: {} }
      : { type: "local", dest: text, attrs: {} };
  }
  let type = "";
  let dest = "";
  const attrs: Record<string, string> = {};
  for (const field of fields) {
    const pair = cutPair(field);
    if (!pair)
      throw invalidValue("--output", text, `${JSON.stringify(field)} is not of the form key=value`);
    const key = pair[0].toLowerCase().trim();
    if (key === "type") type = pair[1];
    else if (key === "dest") dest = pair[1];
    else attrs[key] = pair[1];
  }
  if (type === "") {
    throw new KilnError(
      "FLAG_INVALID",
      `invalid value ${JSON.stringify(text)} for --output: type is required`,
      {
        hint: "Write type=local, tar, oci, docker, image or registry first: --output type=local,dest=out.",
      },
    );
  }
  return { type, ...(dest === "" ? {} : { dest }), attrs };
}

/** The text buildx prints for an output. */
export function outputText(output: Output): string {
  const dest: [string, string][] = output.dest === undefined ? [] : [["dest", output.dest]];
  return writeCsv([["type", output.type], ...dest, ...sortedPairs(output.attrs)]);
}
