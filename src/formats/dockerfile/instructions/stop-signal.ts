// STOPSIGNAL: the signal that asks a container to end.
import {
  type ExpandWord,
  type InstructionBase,
  onlyArgument,
  type Request,
} from "./instruction.ts";

/** `STOPSIGNAL <signal>`. */
export interface StopSignalInstruction extends InstructionBase {
  readonly kind: "stopsignal";
  readonly signal: string;
}

/** Flags are not looked at, as in the reference. */
export function parseStopSignal(request: Request): StopSignalInstruction {
  const signal = onlyArgument(request);
  return {
    kind: "stopsignal",
    keyword: request.node.keyword,
    code: request.code,
    lines: request.node.lines,
    comments: request.node.comments,
    signal,
  };
}

/** With variables replaced. */
export function expandStopSignal(
  stop: StopSignalInstruction,
  expand: ExpandWord,
): StopSignalInstruction {
  return { ...stop, signal: expand(stop.signal) };
}
