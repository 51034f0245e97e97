// Two stages have one name.
import { quote } from "../text.ts";
import { type Rule, ruleUrl } from "./rule.ts";

/** DuplicateStageName: two stages have one name. */
export const duplicateStageName: Rule<[name: string]> = {
  name: "DuplicateStageName",
  description: "Stage names should be unique",
  url: ruleUrl("duplicate-stage-name"),
  message: (name) => `Duplicate stage name ${quote(name)}, stage names should be unique`,
};
