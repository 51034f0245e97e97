// A stage name is written in capitals; the name is looked up in lower case.
import { type Rule, ruleUrl } from "./rule.ts";

/** StageNameCasing: a stage name is written in capitals; the name is looked up in lower case. */
export const stageNameCasing: Rule<[name: string]> = {
  name: "StageNameCasing",
  description: "Stage names should be lowercase",
  url: ruleUrl("stage-name-casing"),
  message: (name) => `Stage name '${name}' should be lowercase`,
};
