// An empty line stands inside a continued instruction.
import { type Rule, ruleUrl } from "./rule.ts";

/** NoEmptyContinuation: an empty line stands inside a continued instruction. */
export const noEmptyContinuation: Rule<[]> = {
  name: "NoEmptyContinuation",
  description: "Empty continuation lines will become errors in a future release",
  url: ruleUrl("no-empty-continuation"),
  message: () => "Empty continuation line",
};
