// FROM: begins a stage and says what it stands on.
import { fromAsCasing } from "../lint/from-as-casing.ts";
import { stageNameCasing } from "../lint/stage-name-casing.ts";
import { checkDescription } from "./description.ts";
import { readFlags } from "./flags.ts";
import { docComment, type InstructionBase, Mistake, type Request } from "./instruction.ts";

/** `FROM [--platform=<platform>] <image> [AS <name>]`. */
export interface FromInstruction extends InstructionBase {
  readonly kind: "from";
  /** Image, stage or named context, variables as written. */
  readonly base: string;
  /** In lower case; "" for a stage without a name. */
  readonly name: string;
  /** Variables as written; "" where not given. */
  readonly platform: string;
  /** What the comment above says of the stage, "" where it says nothing. */
  readonly doc: string;
}

const flagTable = { platform: "text" } as const;

export function parseFrom(request: Request): FromInstruction {
  checkCasing(request);
  const [base = "", as = "", written = ""] = request.args;
  const named = request.args.length === 3 && as.toLowerCase() === "as";
  if (!named && request.args.length !== 1) {
    throw new Mistake("FROM requires either one or three arguments", {
      word: as === "" ? undefined : as,
      hint: "Write FROM <image> or FROM <image> AS <name>.",
    });
  }
  const name = written.toLowerCase();
  if (named && !isStageName(name)) {
    throw new Mistake(
      `invalid name for build stage: ${JSON.stringify(written)}, name can't start with a number or contain symbols`,
      { word: written },
    );
  }
  const { platform } = readFlags(request, flagTable);
  if (name !== "") checkDescription(request, [name]);
  const doc = docComment(request.node.comments, name);
  return {
    kind: "from",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    base,
    name,
    platform,
    doc,
  };
}

function checkCasing(request: Request): void {
  const [, as = "", name = ""] = request.args;
  const { keyword, lines } = request.node;
  if (request.args.length === 3 && name !== name.toLowerCase()) {
    request.linter.warn(stageNameCasing, lines, name);
  }
  if (request.args.length < 3) return;
  // A keyword in mixed case is another rule's matter.
  const wanted =
    keyword === keyword.toLowerCase()
      ? as.toLowerCase()
      : keyword === keyword.toUpperCase()
        ? as.toUpperCase()
        : as;
  if (as !== wanted) request.linter.warn(fromAsCasing, lines, as, keyword);
}

function isStageName(name: string): boolean {
  return /^[a-z][a-z0-9\-_.]*$/.test(name);
}
