// A stage has a name that means something else.
import { quote } from "../text.ts";
import { type Rule, ruleUrl } from "./rule.ts";

/** ReservedStageName: a stage has a name that means something else. */
export const reservedStageName: Rule<[name: string]> = {
  name: "ReservedStageName",
  description: "Reserved words should not be used as stage names",
  url: ruleUrl("reserved-stage-name"),
  message: (name) => `Stage name should not use the same name as reserved stage ${quote(name)}`,
};
