// A variable is used that nothing defines.
import { type Rule, ruleUrl } from "./rule.ts";

/** UndefinedVar: a variable is used that nothing defines. */
export const undefinedVar: Rule<[name: string, suggestion: string]> = {
  name: "UndefinedVar",
  description: "Variables should be defined before their use",
  url: ruleUrl("undefined-var"),
  message: (name, suggestion) =>
    `Usage of undefined variable '$${name}'${suggestion === "" ? "" : ` (did you mean $${suggestion}?)`}`,
};
