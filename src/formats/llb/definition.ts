// An LLB definition: the graph of ops in BuildKit's wire format (solver/pb/ops.proto, message Definition).
import type { Digest } from "../../base/index.ts";

/** One marshalled op; equal bytes have equal digests. */
export interface DefinitionOp {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** Ops with inputs before users; the last one only points at the result. */
export interface Definition {
  readonly ops: readonly DefinitionOp[];
}
