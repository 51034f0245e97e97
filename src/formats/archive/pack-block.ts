// One block of a gzip stream, packed up to a byte border: deflated in pieces, with what deflate cannot make smaller stored.
import { constants, deflateRawSync } from "node:zlib";
import { concatBytes } from "../../base/index.ts";
import { findNoise, type Segment } from "./noise.ts";

/** Bytes from `start` on, with what deflate may refer to before them. */
export interface Block {
  readonly window: Uint8Array;
  readonly start: number;
}

/** How far back deflate can refer. */
export const windowLength: number = 32 * 1024;

/** Longest stored block of deflate (RFC 1951, 3.2.4). */
const longestStored = 65_535;

/** Up to this length, a piece is one block of deflate whatever the memory, and more memory finds its matches faster. */
const shortPiece = 64 * 1024;

/** The block as deflate blocks that end at a byte border, so that the next can follow whoever finishes first. Pure. */
export function packBlock({ window, start }: Block, level: number): Uint8Array {
  const segments = findNoise(window, start);
  return concatBytes(
    segments.map((segment, at) => {
      const bytes = window.subarray(segment.start, segment.end);
      if (segment.noise) return storeBytes(bytes);
      return deflatePiece(bytes, level, dictionaryOf(window, segment, segments[at - 1]));
    }),
  );
}

/**
 * What a piece may refer to. Behind noise that is next to nothing, though reading it in takes as long as packing a short
 * piece: such pieces begin anew.
 */
function dictionaryOf(window: Uint8Array, { start }: Segment, before: Segment | undefined) {
  if (before?.noise) return undefined;
  return start === 0 ? undefined : window.subarray(Math.max(0, start - windowLength), start);
}

function deflatePiece(
  bytes: Uint8Array,
  level: number,
  dictionary: Uint8Array | undefined,
): Uint8Array {
  return deflateRawSync(bytes, {
    level,
    memLevel: bytes.length <= shortPiece ? 9 : 8,
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: bytes.length + 1024,
    ...(dictionary === undefined ? {} : { dictionary }),
  });
}

/** The bytes as they are, up to a byte border like deflated ones; what follows can refer to them all the same. */
function storeBytes(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 5 * Math.ceil(bytes.length / longestStored));
  const view = new DataView(out.buffer);
  let to = 0;
  for (let at = 0; at < bytes.length; at += longestStored) {
    const piece = bytes.subarray(at, at + longestStored);
    view.setUint16(to + 1, piece.length, true);
    view.setUint16(to + 3, ~piece.length & 0xffff, true);
    out.set(piece, to + 5);
    to += 5 + piece.length;
  }
  return out;
}
