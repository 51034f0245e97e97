// USER: who later steps and containers run as.
import type { UserInstruction } from "../instructions/user.ts";
import type { Converter } from "./environment.ts";
import type { Stage } from "./stage.ts";

export const convertUser: Converter<UserInstruction> = (stage, { user }) => {
  setUser(stage, user);
  stage.record(`USER ${user}`, false);
};

/** Sets the stage's user without a word in the history: also for what a base image says. */
export function setUser(stage: Stage, user: string): void {
  stage.files = stage.files.user(user);
  if (user === "") delete stage.config.User;
  else stage.config.User = user;
}
