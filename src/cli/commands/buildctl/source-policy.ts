// --source-policy-file: rules for the sources of a build, as JSON of the policy's message.
import { readFileSync } from "node:fs";
import { fromNodeError, isRecord, KilnError } from "../../../base/index.ts";
import { policy } from "../../../formats/proto/index.ts";

/** A policy is written by hand. */
const maxPolicySize = 4 << 20;

/** Reads the file. Throws `FLAG_INVALID` for what is no policy. */
export function readSourcePolicy(path: string): policy.Policy {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EISDIR") throw invalid(path, "there is no such file");
    throw fromNodeError(error, "reading --source-policy-file");
  }
  if (text.length > maxPolicySize) throw invalid(path, "it is too large");
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, (cause as Error).message);
  }
  if (!isRecord(document)) throw invalid(path, "it is no object");
  const { version = 1, rules = [] } = document;
  if (!Array.isArray(rules)) throw invalid(path, "rules is no list");
  return { version: Number(version), rules: rules.map((rule) => ruleOf(rule, path)) };
}

function ruleOf(value: unknown, path: string): policy.Rule {
  if (!isRecord(value)) throw invalid(path, "a rule is no object");
  const { selector, updates, action = "ALLOW" } = value;
  return {
    action: named(policy.PolicyAction, action, "action", path),
    selector: isRecord(selector) ? selectorOf(selector, path) : undefined,
    updates: isRecord(updates)
      ? { identifier: textOf(updates["identifier"]), attrs: mapOf(updates["attrs"]) }
      : undefined,
  };
}

function selectorOf(value: Readonly<Record<string, unknown>>, path: string): policy.Selector {
  const { identifier, constraints = [] } = value;
  const match = value["matchType"] ?? value["match_type"] ?? 0;
  if (!Array.isArray(constraints)) throw invalid(path, "constraints is no list");
  return {
    identifier: textOf(identifier),
    matchType: named(policy.MatchType, match, "matchType", path),
    constraints: constraints.filter(isRecord).map((one) => ({
      key: textOf(one["key"]),
      value: textOf(one["value"]),
      condition: named(policy.AttrMatch, one["condition"] ?? 0, "condition", path),
    })),
  };
}

/** An enumeration's value by name or number, as JSON of protobuf has it. */
function named<N extends number>(
  values: Readonly<Record<string, N>>,
  value: unknown,
  field: string,
  path: string,
): N {
  const found = Object.entries(values).find(([name, one]) => name === value || one === value);
  if (found) return found[1];
  throw invalid(path, `${JSON.stringify(value)} is no ${field}`);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function mapOf(value: unknown): Map<string, string> {
  const entries = isRecord(value) ? Object.entries(value) : [];
  return new Map(entries.map(([key, one]) => [key, textOf(one)]));
}

function invalid(path: string, why: string): KilnError {
  return new KilnError("FLAG_INVALID", `failed to unmarshal source policy file ${path}: ${why}`);
}
