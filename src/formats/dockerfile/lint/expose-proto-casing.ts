// EXPOSE names a protocol in capitals.
import { type Rule, ruleUrl } from "./rule.ts";

/** ExposeProtoCasing: eXPOSE names a protocol in capitals. */
export const exposeProtoCasing: Rule<[port: string]> = {
  name: "ExposeProtoCasing",
  description: "Protocol in EXPOSE instruction should be lowercase",
  url: ruleUrl("expose-proto-casing"),
  message: (port) => `Defined protocol '${port}' in EXPOSE instruction should be lowercase`,
};
