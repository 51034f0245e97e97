// Gzip on all cores: fixed-size blocks deflated in the thread pool, each with its predecessor's end as dictionary.
import type { Bytes } from "../../base/index.ts";

export interface GzipOptions {
  /** 1 (fast) to 9 (small); 6 where absent. */
  readonly level?: number;
}

/** One gzip member. The bytes depend on the input and the level only: not on chunking, and not on the number of cores. */
export async function* gzip(data: Bytes, options: GzipOptions = {}): Bytes {
  throw new Error(`not yet ${data} ${options}`);
}
