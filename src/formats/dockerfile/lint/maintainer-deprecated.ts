// MAINTAINER is used.
import { type Rule, ruleUrl } from "./rule.ts";

/** MaintainerDeprecated: mAINTAINER is used. */
export const maintainerDeprecated: Rule<[]> = {
  name: "MaintainerDeprecated",
  description:
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
  url: ruleUrl("maintainer-deprecated"),
  message: () => "Maintainer instruction is deprecated in favor of using label",
};
