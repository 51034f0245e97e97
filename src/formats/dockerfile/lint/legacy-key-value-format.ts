// ENV or LABEL is written without an equals sign.
import { type Rule, ruleUrl } from "./rule.ts";

/** LegacyKeyValueFormat: eNV or LABEL is written without an equals sign. */
export const legacyKeyValueFormat: Rule<[instruction: string]> = {
  name: "LegacyKeyValueFormat",
  description: "Legacy key/value format with whitespace separator should not be used",
  url: ruleUrl("legacy-key-value-format"),
  message: (instruction) =>
    `"${instruction} key=value" should be used instead of legacy "${instruction} key value" format`,
};
