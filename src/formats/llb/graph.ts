// The graph that a definition describes, ready to be solved.
import type { Digest } from "../../base/index.ts";
import type { Platform } from "../oci/index.ts";
import type { OpMetadata, SourceLocation } from "./definition.ts";
import type { Op } from "./ops.ts";

/** One vertex: its op, what it reads, and what is said of it. */
export interface LlbVertex {
  readonly digest: Digest;
  readonly op: Op;
  /** The op as it was written: what its cache key is made of. */
  readonly encoded: Uint8Array;
  /** Absent where the outcome does not depend on it. */
  readonly platform?: Platform;
  readonly inputs: readonly LlbEdge[];
  readonly metadata: OpMetadata;
  /** Words for people: the custom name, or what the op does. */
  readonly name: string;
  readonly locations: readonly SourceLocation[];
}

/** One output of a vertex. */
export interface LlbEdge {
  readonly vertex: LlbVertex;
  readonly output: number;
}

/** A definition that was read. */
export interface LlbGraph {
  /** Undefined is the empty result (scratch). */
  readonly result: LlbEdge | undefined;
  /** Every vertex that the result needs, inputs before users. */
  readonly vertices: readonly LlbVertex[];
}
