// From the syntax tree to stages of typed instructions.
import { closest } from "../../base/index.ts";
import type { InstructionNode, LineRange, Problem } from "./ast.ts";
import {
  type ArgInstruction,
  type FromInstruction,
  type Instruction,
  type InstructionBase,
  instructionParsers,
  isInstructionKind,
  Mistake,
  type StageInstruction,
} from "./instructions/index.ts";
import { Request } from "./instructions/instruction.ts";
import { createLinter, type Linter } from "./lint/index.ts";
import { skippedByComments } from "./lint/options.ts";
import { MAX_PROBLEMS } from "./parse.ts";
import { ExpansionError } from "./shell-words.ts";

/** A FROM and what follows up to the next one. */
export interface Stage extends InstructionBase {
  /** In lower case; "" for a stage without a name. */
  readonly name: string;
  /** Image, stage or named context, variables as written. */
  readonly base: string;
  /** Variables as written; "" where not given. */
  readonly platform: string;
  /** What the comment above says of the stage. */
  readonly doc: string;
  readonly instructions: readonly StageInstruction[];
}

/** A Dockerfile's instructions in order. */
export interface Instructions {
  readonly stages: readonly Stage[];
  /** ARGs before the first FROM. */
  readonly metaArgs: readonly ArgInstruction[];
  /** The mistakes in the order of the file, `MAX_PROBLEMS` or a few more of them at most. */
  readonly problems: readonly Problem[];
}

/** A stage that instructions are still added to. */
interface OpenStage extends Stage {
  readonly instructions: StageInstruction[];
}

/** Types every instruction and sorts them into stages. Instructions with mistakes are left out and noted. */
export function readInstructions(
  nodes: readonly InstructionNode[],
  linter: Linter = createLinter(),
): Instructions {
  const stages: OpenStage[] = [];
  const metaArgs: ArgInstruction[] = [];
  const problems: Problem[] = [];
  let orphaned = false;
  let before: InstructionNode | undefined;
  for (const node of nodes) {
    if (problems.length >= MAX_PROBLEMS) break;
    const instruction = typed(node, linter, before, problems);
    before = node;
    if (!instruction) {
      // A broken FROM still ends the stage before it, but nothing more can be said of what follows.
      if (node.keyword.toLowerCase() === "from") orphaned = true;
      continue;
    }
    const stage = stages.at(-1);
    if (instruction.kind === "from") {
      stages.push(stageOf(instruction));
      orphaned = false;
    } else if (stage && !orphaned) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") metaArgs.push(instruction);
    else if (!orphaned) {
      problems.push(outsideStage(instruction.lines, instruction.keyword));
      orphaned = true;
    }
  }
  return { stages, metaArgs, problems };
}

/** One node's instruction; undefined when it has mistakes. `before` is the node above, for the hint. */
export function parseInstruction(
  node: InstructionNode,
  linter: Linter = createLinter(),
  before?: InstructionNode,
): { readonly value: Instruction | undefined; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  return { value: typed(node, linter, before, problems), problems };
}

/** One node's instruction, or its mistakes among the problems. */
function typed(
  node: InstructionNode,
  linter: Linter,
  before: InstructionNode | undefined,
  problems: Problem[],
): Instruction | undefined {
  const kind = node.keyword.toLowerCase();
  const skipped = skippedByComments(node.comments);
  if (skipped !== undefined) linter.skipAt(node.lines, skipped);
  if (!isInstructionKind(kind)) {
    problems.push(unknownInstruction(node, before));
    return undefined;
  }
  const request = new Request(node, linter);
  let value: Instruction | undefined;
  let thrown: Error | undefined;
  try {
    value = instructionParsers[kind](request);
  } catch (error) {
    if (!(error instanceof Mistake || error instanceof ExpansionError)) throw error;
    thrown = error;
  }
  const { mistakes } = request;
  for (const mistake of mistakes) problems.push(toProblem(mistake, node.lines));
  if (thrown !== undefined) problems.push(toProblem(thrown, node.lines));
  return mistakes.length === 0 ? value : undefined;
}

function stageOf({
  keyword,
  code,
  lines,
  comments,
  name,
  base,
  platform,
  doc,
}: FromInstruction): OpenStage {
  return { keyword, code, lines, comments, name, base, platform, doc, instructions: [] };
}

/** What an instruction's parser or an expansion threw, with its place. */
export function toProblem(error: Error, lines: LineRange): Problem {
  const { word, hint } = error instanceof Mistake ? error : {};
  return {
    message: error.message,
    at: [lines],
    ofInstruction: true,
    ...(word === undefined ? {} : { word }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function unknownInstruction(
  { keyword, lines }: InstructionNode,
  before: InstructionNode | undefined,
): Problem {
  const message = `unknown instruction: ${keyword}`;
  const problem = { message, at: [lines], word: keyword, ofInstruction: true } as const;
  const near = closest(keyword, Object.keys(instructionParsers));
  if (near !== undefined) return { ...problem, hint: `Did you mean ${near.toUpperCase()}?` };
  const end = /(?:&&|\|\|?|[,;({])\s*$/.exec(before?.original.slice(-100) ?? "")?.[0].trim();
  if (end !== undefined) {
    const hint = `The instruction above ends with ${end}: end its line with a backslash to go on in this one.`;
    return { ...problem, hint };
  }
  const known = Object.keys(instructionParsers).map((kind) => kind.toUpperCase());
  return { ...problem, hint: `Known instructions: ${known.join(", ")}.` };
}

function outsideStage(lines: LineRange, keyword: string): Problem {
  return {
    message: "no build stage in current context",
    at: [lines],
    word: keyword,
    hint: "Begin the file with FROM; only ARG may stand before it.",
  };
}
