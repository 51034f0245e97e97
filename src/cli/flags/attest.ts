// --attest, --provenance, --sbom: `type=provenance|sbom[,disabled=true][,KEY=VALUE...]`.
import { cutPair, readCsv, sortedPairs, writeCsv } from "../../base/index.ts";
import { invalidValue, parseBool } from "./values.ts";

/** One wanted or unwanted attestation. */
export interface Attest {
  readonly type: string;
  readonly disabled?: true;
  readonly attrs: Readonly<Record<string, string>>;
}

/** Reads the values of `--attest`. A type may be named twice: whoever uses the list lets the last one win. */
export function parseAttests(values: readonly string[]): readonly Attest[] {
  return values.map(parseAttest);
}

function parseAttest(text: string): Attest {
  let type = "";
  let disabled = false;
  const attrs: Record<string, string> = {};
  for (const field of readCsv(text)) {
    const pair = cutPair(field);
    if (!pair)
      throw invalidValue("--attest", text, `${JSON.stringify(field)} is not of the form key=value`);
    const key = pair[0].toLowerCase().trim();
    if (key === "type") type = pair[1];
    else if (key === "disabled") disabled = readDisabled(text, pair[1]);
    else attrs[pair[0]] = pair[1];
  }
  if (type === "")
    throw invalidValue("--attest", text, "type is required", "Types are provenance and sbom.");
  return { type, ...(disabled ? { disabled } : {}), attrs };
}

function readDisabled(text: string, value: string): boolean {
  const disabled = parseBool(value);
  if (disabled === undefined)
    throw invalidValue("--attest", text, "disabled must be true or false");
  return disabled;
}

/** `--provenance=VALUE` and `--sbom=VALUE` in `--attest`'s form; a boolean turns the type on or off. */
export function attestShorthand(type: "provenance" | "sbom", value: string): string {
  const on = parseBool(value);
  return on === undefined ? `type=${type},${value}` : `type=${type},disabled=${!on}`;
}

/** The text buildx prints for it. */
export function attestText(attest: Attest): string {
  const disabled: [string, string][] = attest.disabled ? [["disabled", "true"]] : [];
  return writeCsv([["type", attest.type], ...disabled, ...sortedPairs(attest.attrs)]);
}
