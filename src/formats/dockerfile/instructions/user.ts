// USER: who later steps and containers run as.
import { noFlags } from "./flags.ts";
import {
  type ExpandWord,
  type InstructionBase,
  onlyArgument,
  type Request,
} from "./instruction.ts";

/** `USER <user>[:<group>]`. */
export interface UserInstruction extends InstructionBase {
  readonly kind: "user";
  readonly user: string;
}

export function parseUser(request: Request): UserInstruction {
  const user = onlyArgument(request);
  noFlags(request);
  return {
    kind: "user",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    user,
  };
}

/** With variables replaced. */
export function expandUser(user: UserInstruction, expand: ExpandWord): UserInstruction {
  return { ...user, user: expand(user.user) };
}
