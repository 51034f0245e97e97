// ONBUILD: an instruction that is kept in the image and runs right after a FROM of it.
import { isSpace, trimStart } from "../text.ts";
import { noFlags } from "./flags.ts";
import { type InstructionBase, Mistake, type Request, requireArguments } from "./instruction.ts";

/** `ONBUILD <instruction>`. */
export interface OnbuildInstruction extends InstructionBase {
  readonly kind: "onbuild";
  /** The inner instruction as text, heredocs included. */
  readonly expression: string;
}

export function parseOnbuild(request: Request): OnbuildInstruction {
  requireArguments(request);
  noFlags(request);
  const trigger = (request.args[0] ?? "").toUpperCase();
  if (trigger === "ONBUILD") {
    throw new Mistake("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", {
      word: request.args[0],
    });
  }
  if (trigger === "MAINTAINER" || trigger === "FROM") {
    throw new Mistake(`${trigger} isn't allowed as an ONBUILD trigger`, { word: request.args[0] });
  }
  const files = request.node.heredocs.map((file) => `\n${file.content}${file.name}`);
  return {
    kind: "onbuild",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    expression: withoutKeyword(request.node.original) + files.join(""),
  };
}

function withoutKeyword(original: string): string {
  const line = trimStart(original);
  let at = "ONBUILD".length;
  while (at < line.length && isSpace(line.charCodeAt(at))) at++;
  return line.slice(at);
}
