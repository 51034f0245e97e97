// Source policies: which sources a build may use, and in what place of which.
export { evaluateRules } from "./rules.ts";
export { openSourcePolicy, type SourcePolicyParts, type SourceRules } from "./source-policy.ts";
