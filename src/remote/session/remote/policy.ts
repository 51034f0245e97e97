// A client that decides about the sources of its build, asked over its session.
import type { CheckSource, SourceDecision } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";
import { pb, policy, policysession } from "../../../formats/proto/index.ts";
import { type Channel, createClient, fromStatus, StatusError } from "../../grpc/index.ts";
import { metaMessage, readPlatform, readSource } from "../source-policies.ts";

/** Its failures become Kiln's errors: a client that gives no answer has allowed nothing. */
export function remoteCheck(channel: Channel): CheckSource {
  const client = createClient(policysession.PolicyVerifierDefinition, channel);
  return async (meta, platform, call) => {
    const request = {
      Source: metaMessage(meta),
      Platform: platform && platformMessage(platform),
    };
    let answer: policysession.CheckPolicyResponse;
    try {
      answer = await client.checkPolicy(request, call);
    } catch (error) {
      throw error instanceof StatusError ? fromStatus(error) : error;
    }
    return decisionOf(answer);
  };
}

function decisionOf({ result }: policysession.CheckPolicyResponse): SourceDecision {
  if (result?.$case === "request") {
    const { Source, Platform: wanted, ResolveMode, LogName } = result.value;
    const platform = readPlatform(wanted);
    return {
      action: "ask",
      source: readSource(Source),
      options: {
        ...(platform ? { platform } : {}),
        ...(ResolveMode === "" ? {} : { resolveMode: ResolveMode }),
        ...(LogName === "" ? {} : { logName: LogName }),
      },
    };
  }
  if (result?.$case !== "decision")
    throw new KilnError("REQUEST_INVALID", "no decision in policy response");
  const { action, denyMessages, update } = result.value;
  if (action === policy.PolicyAction.ALLOW) return { action: "ALLOW" };
  if (action !== policy.PolicyAction.CONVERT)
    return { action: "DENY", messages: denyMessages.map(({ message }) => message) };
  if (update) return { action: "CONVERT", source: readSource(update) };
  throw new KilnError("REQUEST_INVALID", "convert action requires updated source");
}

function platformMessage({ os, architecture, variant, osVersion }: Platform): pb.Platform {
  return pb.Platform.create({
    OS: os,
    Architecture: architecture,
    Variant: variant ?? "",
    OSVersion: osVersion ?? "",
  });
}
