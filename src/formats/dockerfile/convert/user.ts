// USER: who later steps and containers run as.
import type { UserInstruction } from "../instructions/user.ts";
import type { Converter } from "./environment.ts";
import { recorded } from "./history.ts";
import { changed, type Stage } from "./stage.ts";

export const convertUser: Converter<UserInstruction> = (stage, { user }) =>
  recorded(withUser(stage, user), `USER ${user}`, false);

/** The stage with its user set, without a word in the history: also for what a base image says. */
export function withUser(stage: Stage, user: string): Stage {
  return changed(stage, {
    files: stage.files.user(user),
    config: { ...stage.config, User: user },
  });
}
