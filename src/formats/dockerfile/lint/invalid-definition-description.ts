// The comment above a stage or argument does not describe it.
import { type Rule, ruleUrl } from "./rule.ts";

/** InvalidDefinitionDescription: the comment above a stage or argument does not describe it. */
export const invalidDefinitionDescription: Rule<[instruction: string, subject: string]> = {
  name: "InvalidDefinitionDescription",
  description:
    "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
  url: ruleUrl("invalid-definition-description"),
  experimental: true,
  message: (instruction, subject) =>
    `Comment for ${instruction} should follow the format: \`# ${subject} <description>\``,
};
