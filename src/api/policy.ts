// Which sources a build may use, and in what place of which: BuildKit's source policies, as plain data and as a question.
import type { Call, Digest } from "../base/index.ts";
import type { Platform } from "../formats/oci/index.ts";

/** A source as definitions name it: `docker-image://docker.io/library/busybox:latest`, with its attributes. */
export interface NamedSource {
  readonly identifier: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/** Compares an attribute of the source; MATCHES is a regular expression. */
export interface AttrConstraint {
  readonly key: string;
  readonly value: string;
  readonly condition: "EQUAL" | "NOTEQUAL" | "MATCHES";
}

/** What a rule is about. Identifiers that are equal match in every way of matching. */
export interface SourceSelector {
  readonly identifier: string;
  readonly matchType: "WILDCARD" | "EXACT" | "REGEX";
  readonly constraints: readonly AttrConstraint[];
}

export interface SourceRule {
  readonly action: "ALLOW" | "DENY" | "CONVERT";
  readonly selector: SourceSelector;
  /** Of CONVERT: the new name, which may use `${1}` for what wildcards and groups matched, and attributes to set. */
  readonly updates?: {
    readonly identifier: string;
    readonly attrs: Readonly<Record<string, string>>;
  };
}

/** The last ALLOW or DENY that matches decides; the first CONVERT that changes something begins anew. */
export interface SourcePolicy {
  readonly rules: readonly SourceRule[];
}

/** What is known of a source without fetching it. */
export interface SourceMeta {
  readonly source: NamedSource;
  readonly image?: { readonly digest: Digest; readonly config: Uint8Array };
  readonly git?: {
    readonly checksum: string;
    readonly ref: string;
    readonly commitChecksum: string;
  };
  readonly http?: {
    readonly checksum: Digest;
    readonly filename: string;
    readonly lastModified?: Date;
  };
}

/** How a source is to be looked up. */
export interface MetaOptions {
  readonly platform?: Platform;
  readonly resolveMode?: string;
  readonly logName?: string;
}

/** What a client says of a source: `ask` wants to be told more first. */
export type SourceDecision =
  | { readonly action: "ALLOW" }
  | { readonly action: "DENY"; readonly messages: readonly string[] }
  | { readonly action: "CONVERT"; readonly source: NamedSource }
  | { readonly action: "ask"; readonly source: NamedSource; readonly options: MetaOptions };

/** Asks a client what to do with a source. */
export type CheckSource = (
  meta: SourceMeta,
  platform: Platform | undefined,
  call: Call,
) => Promise<SourceDecision>;
