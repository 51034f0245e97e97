// The asking side of source policies: a builder asks what to do with each source.
import type { CheckSource } from "../../../api/index.ts";
import { pb, policy, policysession } from "../../../formats/proto/index.ts";
import { bind, type Service } from "../../grpc/index.ts";
import { readMeta, readPlatform, sourceMessage } from "../source-policies.ts";

export function policyService(check: CheckSource): Service {
  return bind(policysession.PolicyVerifierDefinition, {
    async checkPolicy({ Source, Platform }, call) {
      if (!Source) return { result: undefined };
      const decision = await check(readMeta(Source), readPlatform(Platform), call);
      if (decision.action === "ask") {
        const { platform, resolveMode = "", logName = "" } = decision.options;
        const value = {
          Source: sourceMessage(decision.source),
          Platform:
            platform &&
            pb.Platform.create({
              OS: platform.os,
              Architecture: platform.architecture,
              Variant: platform.variant ?? "",
            }),
          ResolveMode: resolveMode,
          LogName: logName,
          SourcePolicies: [],
        };
        return { result: { $case: "request", value } };
      }
      const messages = decision.action === "DENY" ? decision.messages : [];
      const value = {
        action: policy.PolicyAction[decision.action],
        denyMessages: messages.map((message) => ({ message })),
        update: decision.action === "CONVERT" ? sourceMessage(decision.source) : undefined,
      };
      return { result: { $case: "decision", value } };
    },
  });
}
