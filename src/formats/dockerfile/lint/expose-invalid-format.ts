// EXPOSE is given an address or a mapping.
import { type Rule, ruleUrl } from "./rule.ts";

/** ExposeInvalidFormat: eXPOSE is given an address or a mapping. */
export const exposeInvalidFormat: Rule<[port: string]> = {
  name: "ExposeInvalidFormat",
  description:
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
  url: ruleUrl("expose-invalid-format"),
  message: (port) =>
    `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
};
