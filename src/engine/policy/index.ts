// Source policies: which sources a build may use, and in what place of which.
export { openSourcePolicy, type SourcePolicyParts, type SourceRules } from "./source-policy.ts";
