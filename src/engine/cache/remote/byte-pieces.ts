// Bytes as they come, gathered into pieces of a size.
import { type Bytes, concatBytes } from "../../../base/index.ts";

/** Pieces of exactly `size` bytes, the last one excepted. Each is the receiver's to keep. */
export async function* pieces(data: Bytes, size: number): Bytes {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of data) {
    let rest = chunk;
    while (length + rest.length >= size) {
      yield concatBytes([...held, rest.slice(0, size - length)]);
      rest = rest.subarray(size - length);
      held = [];
      length = 0;
    }
    if (rest.length === 0) continue;
    // Whoever made a chunk may write over it.
    held.push(rest.slice());
    length += rest.length;
  }
  if (length > 0) yield concatBytes(held);
}
