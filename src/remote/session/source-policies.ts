// Source policies and what is known of sources, as messages and back.
import type {
  AttrConstraint,
  NamedSource,
  SourceMeta,
  SourcePolicy,
  SourceRule,
  SourceSelector,
} from "../../api/index.ts";
import { isDigest, KilnError } from "../../base/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { gateway, pb, policy } from "../../formats/proto/index.ts";

/** By number. */
const actions: readonly SourceRule["action"][] = ["ALLOW", "DENY", "CONVERT"];
const matchTypes: readonly SourceSelector["matchType"][] = ["WILDCARD", "EXACT", "REGEX"];
const conditions: readonly AttrConstraint["condition"][] = ["EQUAL", "NOTEQUAL", "MATCHES"];

/** Throws `REQUEST_INVALID` for values that are not known. */
export function readPolicies(messages: readonly policy.Policy[]): readonly SourcePolicy[] {
  return messages.map(({ version, rules }) => {
    if (version < 0 || version > 1)
      throw new KilnError("REQUEST_INVALID", `source policies of version ${version} are not known`);
    return { rules: rules.map(readRule) };
  });
}

function readRule({ action, selector, updates }: policy.Rule): SourceRule {
  if (!selector)
    throw new KilnError("REQUEST_INVALID", "a rule of a source policy has no selector");
  return {
    action: known(actions, action, "action"),
    selector: {
      identifier: selector.identifier,
      matchType: known(matchTypes, selector.matchType, "match type"),
      constraints: selector.constraints.map(({ key, value, condition }) => ({
        key,
        value,
        condition: known(conditions, condition, "condition"),
      })),
    },
    ...(updates
      ? { updates: { identifier: updates.identifier, attrs: Object.fromEntries(updates.attrs) } }
      : {}),
  };
}

function known<T>(values: readonly T[], value: number, what: string): T {
  const found = values[value];
  if (found !== undefined) return found;
  throw new KilnError("REQUEST_INVALID", `a source policy has the unknown ${what} ${value}`);
}

export function policyMessage({ rules }: SourcePolicy): policy.Policy {
  return policy.Policy.create({
    version: 1,
    rules: rules.map(({ action, selector, updates }) => ({
      action: policy.PolicyAction[action],
      selector: {
        identifier: selector.identifier,
        matchType: policy.MatchType[selector.matchType],
        constraints: selector.constraints.map(({ key, value, condition }) => ({
          key,
          value,
          condition: policy.AttrMatch[condition],
        })),
      },
      updates: updates && {
        identifier: updates.identifier,
        attrs: new Map(Object.entries(updates.attrs)),
      },
    })),
  });
}

export function sourceMessage({ identifier, attrs }: NamedSource): pb.SourceOp {
  return pb.SourceOp.create({ identifier, attrs: new Map(Object.entries(attrs)) });
}

/** Throws `REQUEST_INVALID` where there is none. */
export function readSource(message: pb.SourceOp | undefined): NamedSource {
  if (!message) throw new KilnError("REQUEST_INVALID", "a source is wanted, but none was named");
  return { identifier: message.identifier, attrs: Object.fromEntries(message.attrs) };
}

/** Undefined where the message names none. */
export function readPlatform(message: pb.Platform | undefined): Platform | undefined {
  if (!message || message.OS === "" || message.Architecture === "") return undefined;
  const { OS, Architecture, Variant, OSVersion } = message;
  return {
    os: OS,
    architecture: Architecture,
    ...(Variant === "" ? {} : { variant: Variant }),
    ...(OSVersion === "" ? {} : { osVersion: OSVersion }),
  };
}

export function metaMessage({
  source,
  image,
  git,
  http,
}: SourceMeta): gateway.ResolveSourceMetaResponse {
  return gateway.ResolveSourceMetaResponse.create({
    Source: sourceMessage(source),
    ...(image ? { Image: { Digest: image.digest, Config: image.config } } : {}),
    ...(git
      ? { Git: { Checksum: git.checksum, Ref: git.ref, CommitChecksum: git.commitChecksum } }
      : {}),
    ...(http
      ? {
          HTTP: {
            Checksum: http.checksum,
            Filename: http.filename,
            LastModified: http.lastModified,
          },
        }
      : {}),
  });
}

/** What a message says of a source. Throws `REQUEST_INVALID`. */
export function readMeta(message: gateway.ResolveSourceMetaResponse): SourceMeta {
  const { Source, Image, Git, HTTP } = message;
  return {
    source: readSource(Source),
    ...(Image && isDigest(Image.Digest)
      ? { image: { digest: Image.Digest, config: Image.Config } }
      : {}),
    ...(Git
      ? { git: { checksum: Git.Checksum, ref: Git.Ref, commitChecksum: Git.CommitChecksum } }
      : {}),
    ...(HTTP && isDigest(HTTP.Checksum)
      ? {
          http: {
            checksum: HTTP.Checksum,
            filename: HTTP.Filename,
            ...(HTTP.LastModified ? { lastModified: HTTP.LastModified } : {}),
          },
        }
      : {}),
  };
}
