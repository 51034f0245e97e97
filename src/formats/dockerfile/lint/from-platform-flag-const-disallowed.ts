// FROM fixes the platform.
import { quote } from "../text.ts";
import { type Rule, ruleUrl } from "./rule.ts";

/** FromPlatformFlagConstDisallowed: fROM fixes the platform. */
export const fromPlatformFlagConstDisallowed: Rule<[platform: string]> = {
  name: "FromPlatformFlagConstDisallowed",
  description: "FROM --platform flag should not use a constant value",
  url: ruleUrl("from-platform-flag-const-disallowed"),
  message: (platform) => `FROM --platform flag should not use constant value ${quote(platform)}`,
};
