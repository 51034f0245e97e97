// CMD or ENTRYPOINT in shell form does not get signals.
import { type Rule, ruleUrl } from "./rule.ts";

/** JSONArgsRecommended: cMD or ENTRYPOINT in shell form does not get signals. */
export const jsonArgsRecommended: Rule<[instruction: string]> = {
  name: "JSONArgsRecommended",
  description:
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
  url: ruleUrl("json-args-recommended"),
  message: (instruction) =>
    `JSON arguments recommended for ${instruction} to prevent unintended behavior related to OS signals`,
};
