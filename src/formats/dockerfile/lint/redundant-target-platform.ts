// FROM asks for the platform that it has anyway.
import { type Rule, ruleUrl } from "./rule.ts";

/** RedundantTargetPlatform: fROM asks for the platform that it has anyway. */
export const redundantTargetPlatform: Rule<[variable: string]> = {
  name: "RedundantTargetPlatform",
  description:
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
  url: ruleUrl("redundant-target-platform"),
  message: (variable) =>
    `Setting platform to predefined ${variable} in FROM is redundant as this is the default behavior`,
};
