// What an op is called that nobody has named, in BuildKit's words (solver/llbsolver/vertex.go).
import type { LlbEdge } from "./graph.ts";
import type { FileAction, Op } from "./ops.ts";

/** Names hold the names of what they are made of: without a limit a small definition could make them as long as it likes. */
const longestName = 4096;

export function nameOf(op: Op, inputs: readonly LlbEdge[]): string {
  switch (op.kind) {
    case "source":
      return op.identifier;
    case "exec":
      return op.args.join(" ");
    case "file":
      return op.actions.map(({ action }) => nameOfAction(action)).join(", ");
    case "merge":
      return clipped(`merge (${inputs.map(({ vertex }) => vertex.name).join(", ")})`);
    case "diff":
      return clipped(`diff ${nameOfSide(op.lower, inputs)} -> ${nameOfSide(op.upper, inputs)}`);
    case "build":
      return op.kind;
    case "passthrough":
      return `passthrough ${op.id}`;
  }
}

function nameOfAction(action: FileAction["action"]): string {
  switch (action.kind) {
    case "copy":
      return `copy ${action.src} ${action.dest}`;
    case "symlink":
      return `symlink ${action.newPath} -> ${action.oldPath}`;
    default:
      return `${action.kind} ${action.path}`;
  }
}

function nameOfSide(input: number | undefined, inputs: readonly LlbEdge[]): string {
  const edge = input === undefined ? undefined : inputs[input];
  return edge ? `(${edge.vertex.name})` : "scratch";
}

function clipped(name: string): string {
  return name.length > longestName ? `${name.slice(0, longestName - 1)}…` : name;
}
