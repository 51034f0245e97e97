// A source is excluded by .dockerignore.
import { quote } from "../text.ts";
import { type Rule, ruleUrl } from "./rule.ts";

/** CopyIgnoredFile: a source is excluded by .dockerignore. */
export const copyIgnoredFile: Rule<[instruction: string, path: string]> = {
  name: "CopyIgnoredFile",
  description: "Attempting to Copy file that is excluded by .dockerignore",
  url: ruleUrl("copy-ignored-file"),
  message: (instruction, path) =>
    `Attempting to ${instruction} file ${quote(path)} that is excluded by .dockerignore`,
};
