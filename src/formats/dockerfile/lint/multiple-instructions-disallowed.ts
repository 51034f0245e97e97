// An instruction of which the last one counts is given twice.
import { type Rule, ruleUrl } from "./rule.ts";

/** MultipleInstructionsDisallowed: an instruction of which the last one counts is given twice. */
export const multipleInstructionsDisallowed: Rule<[instruction: string]> = {
  name: "MultipleInstructionsDisallowed",
  description: "Multiple instructions of the same type should not be used in the same stage",
  url: ruleUrl("multiple-instructions-disallowed"),
  message: (instruction) =>
    `Multiple ${instruction} instructions should not be used in the same stage because only the last one will be used`,
};
