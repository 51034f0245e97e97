// Nodes of a graph under construction. They are told apart by identity until they are marshalled.
import type { Platform } from "../oci/index.ts";
import type { DefinitionOp, ProgressGroup, SourceLocation } from "./definition.ts";
import type { OpWriter } from "./op-writer.ts";

/** What may be said of any op. */
export interface Constraints {
  readonly platform?: Platform;
  /** Run even when cached. */
  readonly ignoreCache?: boolean;
  /** Name for people; short for the description `llb.customname`. */
  readonly name?: string;
  readonly description?: Readonly<Record<string, string>>;
  readonly progressGroup?: ProgressGroup;
  readonly locations?: readonly SourceLocation[];
}

/** An op that is described but has no bytes yet. */
export interface Vertex {
  readonly constraints: Constraints;
  /** What the op is for; undefined where the definition as a whole says. */
  readonly platform: Platform | undefined;
  /** Capabilities that the op needs of the builder, sorted, each once. */
  readonly caps: readonly string[];
  /** What is marshalled before this, in this order, which decides the order of the definition's ops. */
  readonly inputs: readonly Output[];
  /** Set where the op has its bytes already, from another definition; `write` is not asked then. */
  readonly marshalled?: DefinitionOp;
  /** Tells the op's inputs, and then writes the op's own message. */
  write(op: OpScope): void;
}

/** One output of a vertex. */
export interface Output {
  readonly vertex: Vertex;
  readonly index: number;
}

/** What a vertex must know to become bytes, and what it is written with. */
export interface OpScope {
  /** The vertex's platform, or the definition's where it has none. */
  readonly platform: Platform;
  /** Makes local sources of one build unlike those of every other. */
  readonly localUniqueId: string;
  /** The output's index among the op's inputs, where equal ones stand once; -1 for the empty file system. */
  input(output: Output | undefined): number;
  /** One more input, though an equal one may be there. */
  addInput(output: Output): void;
  /**
   * Begins the op's own message, once all inputs are told; who called `write` ends it. `platformSpecific` says that the
   * outcome depends on the platform, which is then part of the op.
   */
  begin(kind: OpKind, platformSpecific: boolean): OpWriter;
}

/** Kinds of ops by their field in message Op (solver/pb/ops.proto). */
export const opKinds = { exec: 2, source: 3, file: 4, merge: 6, diff: 7 } as const;

export type OpKind = keyof typeof opKinds;

/** The outputs that are there, each once. */
export function distinctOutputs(outputs: readonly (Output | undefined)[]): readonly Output[] {
  const isThere = (output: Output | undefined): output is Output => output !== undefined;
  if (outputs.length > 16) return [...new Set(outputs.filter(isThere))];
  // Mostly they are distinct as they are.
  const isFirst = (output: Output | undefined, at: number): output is Output =>
    isThere(output) && outputs.indexOf(output) === at;
  return outputs.every(isFirst) ? outputs : outputs.filter(isFirst);
}
