// FROM and AS are written in different cases.
import { type Rule, ruleUrl } from "./rule.ts";

/** FromAsCasing: fROM and AS are written in different cases. */
export const fromAsCasing: Rule<[as: string, from: string]> = {
  name: "FromAsCasing",
  description: "The 'as' keyword should match the case of the 'from' keyword",
  url: ruleUrl("from-as-casing"),
  message: (as, from) => `'${as}' and '${from}' keywords' casing do not match`,
};
