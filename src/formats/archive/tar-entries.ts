// Tar entries one after the other, each with its contents: for archives of a few files.
import { type Bytes, type Call, throwIfAborted } from "../../base/index.ts";
import type { TarHeader, TarLimits } from "./tar-header.ts";
import { createTarParser } from "./tar-reader.ts";

/** An entry with its contents. Read `data` before asking for the next entry; what is left is skipped. */
export interface TarEntry {
  readonly header: TarHeader;
  readonly data: Bytes;
}

type Found =
  | { readonly is: "entry"; readonly header: TarHeader }
  | { readonly is: "data"; readonly chunk: Uint8Array; readonly position: number }
  | { readonly is: "end" };

const zeros = new Uint8Array(64 * 1024);

/** Reads the uncompressed archive entry by entry. `readTar` is faster. Throws as it does. */
export async function* tarEntries(
  data: Bytes,
  call: Call,
  limits?: TarLimits,
): AsyncIterable<TarEntry> {
  const found: Found[] = [];
  const sink = {
    entry: (header: TarHeader) => void found.push({ is: "entry", header }),
    data: (chunk: Uint8Array, position: number) => void found.push({ is: "data", chunk, position }),
    end: () => void found.push({ is: "end" }),
  };
  const parser = createTarParser(sink, limits);
  const source = data[Symbol.asyncIterator]();
  async function next(): Promise<Found | undefined> {
    while (found.length === 0) {
      throwIfAborted(call);
      const piece = await source.next();
      if (piece.done === true) {
        parser.finish();
        return undefined;
      }
      parser.push(piece.value);
    }
    return found.shift();
  }
  try {
    for (let item = await next(); item !== undefined; item = await next()) {
      if (item.is === "entry")
        yield { header: item.header, data: contents(item.header.size, next) };
    }
  } finally {
    await source.return?.();
  }
}

/** The contents of the entry whose events come next, with holes filled. */
async function* contents(size: number, next: () => Promise<Found | undefined>): Bytes {
  let at = 0;
  for (let item = await next(); item !== undefined && item.is !== "end"; item = await next()) {
    if (item.is !== "data") continue;
    yield* hole(item.position - at);
    yield item.chunk;
    at = item.position + item.chunk.length;
  }
  yield* hole(size - at);
}

function* hole(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= zeros.length)
    yield zeros.subarray(0, Math.min(left, zeros.length));
}
