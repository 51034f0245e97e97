// A variable looks like it holds a secret.
import { quote } from "../text.ts";
import { type Rule, ruleUrl } from "./rule.ts";

/** SecretsUsedInArgOrEnv: a variable looks like it holds a secret. */
export const secretsUsedInArgOrEnv: Rule<[instruction: string, name: string]> = {
  name: "SecretsUsedInArgOrEnv",
  description: "Sensitive data should not be used in the ARG or ENV commands",
  url: ruleUrl("secrets-used-in-arg-or-env"),
  message: (instruction, name) =>
    `Do not use ARG or ENV instructions for sensitive data (${instruction} ${quote(name)})`,
};
