// FROM uses a variable that no ARG above it declares.
import { type Rule, ruleUrl } from "./rule.ts";

/** UndefinedArgInFrom: fROM uses a variable that no ARG above it declares. */
export const undefinedArgInFrom: Rule<[name: string, suggestion: string]> = {
  name: "UndefinedArgInFrom",
  description: "FROM command must use declared ARGs",
  url: ruleUrl("undefined-arg-in-from"),
  message: (name, suggestion) =>
    `FROM argument '${name}' is not declared${suggestion === "" ? "" : ` (did you mean ${suggestion}?)`}`,
};
