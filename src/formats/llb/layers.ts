// The vertices that put file systems together from others, and take them apart.
import type { Platform } from "../oci/index.ts";
import type { OpWriter } from "./op-writer.ts";
import {
  type Constraints,
  distinctOutputs,
  type OpScope,
  type Output,
  type Vertex,
} from "./vertex.ts";

const mergeCaps = ["mergeop"] as const;
const diffCaps = ["diffop"] as const;

/** A vertex whose output 0 is the outputs laid over one another, later over earlier. */
export class MergeVertex implements Vertex {
  readonly constraints: Constraints;
  readonly platform: Platform | undefined;
  readonly caps: readonly string[] = mergeCaps;
  readonly inputs: readonly Output[];
  readonly #outputs: readonly Output[];

  constructor(outputs: readonly Output[], constraints: Constraints) {
    this.constraints = constraints;
    this.platform = constraints.platform;
    this.inputs = distinctOutputs(outputs);
    this.#outputs = outputs;
  }

  write(op: OpScope): void {
    for (const output of this.#outputs) op.addInput(output);
    const to = op.begin("merge", false);
    for (let at = 0; at < this.#outputs.length; at++) writeInput(to, 1, at);
  }
}

/** A vertex whose output 0 is what `upper` has that `lower` has not. */
export class DiffVertex implements Vertex {
  readonly constraints: Constraints;
  readonly platform: Platform | undefined;
  readonly caps: readonly string[] = diffCaps;
  readonly inputs: readonly Output[];
  readonly #lower: Output;
  readonly #upper: Output | undefined;

  constructor(lower: Output, upper: Output | undefined, constraints: Constraints) {
    this.constraints = constraints;
    this.platform = constraints.platform;
    this.inputs = distinctOutputs([lower, upper]);
    this.#lower = lower;
    this.#upper = upper;
  }

  write(op: OpScope): void {
    const lower = op.input(this.#lower);
    const upper = op.input(this.#upper);
    const to = op.begin("diff", false);
    writeInput(to, 1, lower);
    writeInput(to, 2, upper);
  }
}

/** Merges and differences have a message for each of their inputs. */
function writeInput(to: OpWriter, field: number, input: number): void {
  to.begin(field);
  to.number(1, input);
  to.end();
}
