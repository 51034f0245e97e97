// Nodes of a graph under construction. They are told apart by identity until they are marshalled.
import type { Platform } from "../oci/index.ts";
import type { pb } from "../proto/index.ts";
import type { DefinitionOp, ProgressGroup, SourceLocation } from "./definition.ts";

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
  /** Capabilities that the op needs of the builder. */
  readonly caps: readonly string[];
  /** What is marshalled before this, in this order, which decides the order of the definition's ops. */
  readonly inputs: readonly Output[];
  /** Set where the op has its bytes already, from another definition; `encode` is not asked then. */
  readonly marshalled?: DefinitionOp;
  encode(scope: EncodeScope): EncodedOp;
}

/** One output of a vertex. */
export interface Output {
  readonly vertex: Vertex;
  readonly index: number;
}

/** What a vertex must know to become bytes. */
export interface EncodeScope {
  /** The input message for an output that was marshalled before. */
  input(output: Output): pb.Input;
  /** The vertex's platform, or the definition's where it has none. */
  readonly platform: Platform;
  /** Makes local sources of one build unlike those of every other. */
  readonly localUniqueId: string;
}

/** An op's parts that differ by kind; `caps` are those known only now. */
export interface EncodedOp {
  readonly op: NonNullable<pb.Op["op"]>;
  readonly inputs: readonly pb.Input[];
  /** True where the outcome depends on the platform, which is then part of the op. */
  readonly platformSpecific: boolean;
  readonly caps?: readonly string[];
}

/** Collects inputs without repeating equal ones, and tells their indexes. */
export class InputList {
  readonly messages: pb.Input[] = [];
  readonly #scope: EncodeScope;

  constructor(scope: EncodeScope) {
    this.#scope = scope;
  }

  /** The output's index; -1 for the empty file system. */
  add(output: Output | undefined): number {
    if (output === undefined) return -1;
    const message = this.#scope.input(output);
    for (const [at, { digest, index }] of this.messages.entries()) {
      if (digest === message.digest && index === message.index) return at;
    }
    return this.messages.push(message) - 1;
  }
}

/** The outputs that are there, each once. */
export function distinctOutputs(outputs: readonly (Output | undefined)[]): Output[] {
  const distinct: Output[] = [];
  const seen = outputs.length > 16 ? new Set<Output>() : undefined;
  for (const output of outputs) {
    if (output === undefined || (seen ? seen.has(output) : distinct.includes(output))) continue;
    seen?.add(output);
    distinct.push(output);
  }
  return distinct;
}
