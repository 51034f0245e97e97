// Keywords are written in different cases.
import { type Rule, ruleUrl } from "./rule.ts";

/** ConsistentInstructionCasing: keywords are written in different cases. */
export const consistentInstructionCasing: Rule<[keyword: string, casing: string]> = {
  name: "ConsistentInstructionCasing",
  description:
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
  url: ruleUrl("consistent-instruction-casing"),
  message: (keyword, casing) =>
    `Command '${keyword}' should match the case of the command majority (${casing})`,
};
