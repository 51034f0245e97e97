// ARG: declares variables that the build's caller may set.
import { checkDescription } from "./description.ts";
import {
  docComment,
  type InstructionBase,
  Mistake,
  type Request,
  requireArguments,
} from "./instruction.ts";

/** One variable of an ARG. */
export interface BuildArg {
  readonly name: string;
  /** The default, quotes as written; undefined where there is none. */
  readonly value?: string;
  /** What the comment above says of it, "" where it says nothing. */
  readonly doc: string;
}

/** `ARG <name>[=<default>] ...`. */
export interface ArgInstruction extends InstructionBase {
  readonly kind: "arg";
  readonly args: readonly BuildArg[];
}

/** Flags are not looked at, as in the reference. */
export function parseArg(request: Request): ArgInstruction {
  requireArguments(request);
  const args = request.args.map((word): BuildArg => {
    const sign = word.indexOf("=");
    if (sign === 0) throw new Mistake("ARG names can not be blank", { word });
    const name = sign === -1 ? word : word.slice(0, sign);
    const doc = docComment(request.node.comments, name);
    return { name, doc, ...(sign === -1 ? {} : { value: word.slice(sign + 1) }) };
  });
  checkDescription(
    request,
    args.map((one) => one.name),
  );
  return {
    kind: "arg",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    args,
  };
}
