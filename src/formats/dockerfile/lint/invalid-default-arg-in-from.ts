// FROM needs an ARG that has no usable default.
import { type Rule, ruleUrl } from "./rule.ts";

/** InvalidDefaultArgInFrom: fROM needs an ARG that has no usable default. */
export const invalidDefaultArgInFrom: Rule<[name: string]> = {
  name: "InvalidDefaultArgInFrom",
  description: "Default value for global ARG results in an empty or invalid base image name",
  url: ruleUrl("invalid-default-arg-in-from"),
  message: (name) => `Default value for ARG ${name} results in empty or invalid base image name`,
};
