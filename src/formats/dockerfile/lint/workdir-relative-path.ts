// The first WORKDIR of a stage is relative.
import { quote } from "../text.ts";
import { type Rule, ruleUrl } from "./rule.ts";

/** WorkdirRelativePath: the first WORKDIR of a stage is relative. */
export const workdirRelativePath: Rule<[path: string]> = {
  name: "WorkdirRelativePath",
  description:
    "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
  url: ruleUrl("workdir-relative-path"),
  message: (path) =>
    `Relative workdir ${quote(path)} can have unexpected results if the base image changes`,
};
