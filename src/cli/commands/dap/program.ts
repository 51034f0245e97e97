// A definition as a program: the instructions of a Dockerfile in the order in which they run, each to be run by itself.
import { type Digest, digestOf } from "../../../base/index.ts";
import { type Definition, type DefinitionOp, decodeExec } from "../../../formats/llb/index.ts";
import { pb } from "../../../formats/proto/index.ts";

type Exec = ReturnType<typeof decodeExec>;

/** An op that was written somewhere. */
export interface Instruction {
  readonly op: DefinitionOp;
  /** `[build 2/3] RUN make`. */
  readonly name: string;
  /** `build`; empty where the name tells none. */
  readonly stage: string;
  /** Both ends included, counted from 1. */
  readonly line: number;
  readonly endLine: number;
  readonly platform: string;
  readonly inputs: readonly { readonly digest: string; readonly index: number }[];
  /** Where it runs a process. */
  readonly exec: Exec | undefined;
}

/** Inputs come before what uses them. Ops from nowhere, such as the reading of the context, are no instructions. */
export function instructionsOf(definition: Definition): readonly Instruction[] {
  return definition.ops.flatMap((op) => {
    const ranges = (definition.locations?.get(op.digest) ?? []).flatMap((one) => one.ranges);
    const [first] = ranges;
    const message = pb.Op.decode(op.bytes);
    const local =
      message.op?.$case === "source" && message.op.value.identifier.startsWith("local://");
    if (!first || local) return [];
    const name = op.metadata.description["llb.customname"] ?? "";
    const { platform } = message;
    return [
      {
        op,
        name,
        stage: /^\[(?:(.*) )?\d+\/\d+\]/.exec(name)?.[1] ?? "",
        line: first.start.line,
        endLine: Math.max(...ranges.map(({ end, start }) => Math.max(end.line, start.line))),
        platform: platform ? `${platform.OS}/${platform.Architecture}` : "",
        inputs: message.inputs,
        exec:
          message.op?.$case === "exec"
            ? decodeExec(message.op.value, message.inputs.length)
            : undefined,
      },
    ];
  });
}

/** The definition of one output of one of its ops. */
export function outputOf(definition: Definition, digest: string, index: number): Definition {
  const known = new Map(definition.ops.map((op) => [op.digest as string, op]));
  const needed = new Set<string>();
  const waiting = [digest];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const op = known.get(next);
    if (!op || needed.has(next)) continue;
    needed.add(next);
    waiting.push(...pb.Op.decode(op.bytes).inputs.map((input) => input.digest));
  }
  const bytes = pb.Op.encode(pb.Op.create({ inputs: [{ digest, index }] })).finish();
  const end: DefinitionOp = {
    digest: digestOf(bytes),
    bytes,
    metadata: { description: {}, caps: [] },
  };
  const ops = definition.ops.filter((op) => needed.has(op.digest));
  const { locations } = definition;
  return { ops: [...ops, end], ...(locations ? { locations } : {}) };
}

/** The instruction that a breakpoint means: the one that is written there, or the next one below. */
export function instructionAt(all: readonly Instruction[], line: number): Instruction | undefined {
  const there = all.find((one) => one.line <= line && line <= one.endLine);
  if (there) return there;
  return [...all].filter((one) => one.line > line).sort((a, b) => a.line - b.line)[0];
}

/** The instruction with what it was built on, nearest first. */
export function ancestry(all: readonly Instruction[], of: Instruction): readonly Instruction[] {
  const known = new Map<Digest | string, Instruction>(all.map((one) => [one.op.digest, one]));
  const chain: Instruction[] = [];
  for (let next: Instruction | undefined = of; next && !chain.includes(next); ) {
    chain.push(next);
    next = known.get(next.inputs[0]?.digest ?? "");
  }
  return chain;
}
