// --build-arg, --label, --env: `KEY=VALUE`, or `KEY` whose value is the environment's.
import { cutPair } from "../../base/index.ts";
import { invalidValue } from "./values.ts";

/**
 * Reads the values of `flag`. Without `=` the value is the environment's, and the key is left out where the environment has
 * none; with `env` undefined it is empty (labels).
 */
export function parseKeyValues(
  values: readonly string[],
  flag: string,
  env: Readonly<Record<string, string | undefined>> | undefined,
): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const value of values) {
    const [key, given] = cutPair(value) ?? [value, env ? env[value] : ""];
    if (key === "") throw invalidValue(flag, value, "the name is missing", "Write NAME=VALUE.");
    if (given !== undefined) out[key] = given;
  }
  return out;
}
