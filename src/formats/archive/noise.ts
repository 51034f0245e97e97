// Finding what deflate cannot make smaller, for a fraction of the time that trying takes.

/** Part of some data; all of it looks random, or none of it is known to. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly noise: boolean;
}

/** Data is judged in pieces of this length, so that noise between other things is found. */
const pieceLength = 2 * 1024;
/** Shorter noise is left to deflate: ending its block and beginning another one costs some 100 bytes. */
const shortestNoise = 8 * 1024;

/**
 * Chi-squared of a piece's byte counts against uniform ones. Noise has 255 ± 23. With more than the upper bound, Huffman codes
 * begin to save (at 400, 0.6 %); with less than the lower one the bytes are too evenly spread to be noise.
 */
const chiSquared = { least: 150, most: 400 } as const;
/** In the first bytes of a piece of noise, half have the high bit set: 128 ± 8 of 256. Most other data differs at once. */
const quickLook = { length: 256, least: 80, most: 176 } as const;

/** The four bytes after each such byte are looked for in deflate's window: of 1 KiB repeated, one in 50 goes unseen. */
const anchor = 0xa5;
const windowLength = 32 * 1024;
const anchorSlots = 1024;

/** The data from `from` on in segments, by what it holds alone. Noise that repeats within deflate's window is none. */
export function findNoise(data: Uint8Array, from = 0): readonly Segment[] {
  const judge = createJudge(data, from);
  const segments: Segment[] = [];
  const add = (start: number, end: number, noise: boolean): void => {
    const last = segments.at(-1);
    if (last?.noise === noise) segments[segments.length - 1] = { ...last, end };
    else if (end > start) segments.push({ start, end, noise });
  };
  let at = from;
  while (at < data.length) {
    let end = at;
    while (end + pieceLength <= data.length && judge(end)) end += pieceLength;
    if (end - at >= shortestNoise) add(at, end, true);
    // The piece that ended the run is no noise either.
    const next = Math.min(end + pieceLength, data.length);
    add(end - at >= shortestNoise ? end : at, next, false);
    at = next;
  }
  return segments;
}

/** Says of one piece after the other, by its start, whether it is noise. */
function createJudge(data: Uint8Array, from: number): (start: number) => boolean {
  const counts = new Uint32Array(256);
  const repeats = createRepeats(data);
  let scanned = from - windowLength;
  return (start) => {
    if (!looksEven(data, start)) return false;
    const end = start + pieceLength;
    counts.fill(0);
    count(data, start, end, counts);
    if (!isUniform(counts)) return false;
    repeats(Math.max(scanned, start - windowLength, 0), start);
    scanned = end;
    return !repeats(start, end);
  };
}

/** Takes in one stretch after the other, and says whether one has what stood in the window before it. */
function createRepeats(data: Uint8Array): (start: number, end: number) => boolean {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const seen = new Uint32Array(anchorSlots);
  const seenAt = new Int32Array(anchorSlots).fill(-windowLength - 1);
  return (start, end) => {
    const last = Math.min(end, data.length - 4);
    let found = false;
    for (
      let at = data.indexOf(anchor, start);
      at !== -1 && at < last;
      at = data.indexOf(anchor, at + 1)
    ) {
      const next = view.getUint32(at + 1);
      const slot = next % anchorSlots;
      if (seen[slot] === next && at - (seenAt[slot] as number) <= windowLength) found = true;
      seen[slot] = next;
      seenAt[slot] = at;
    }
    return found;
  };
}

/** A loop of its own, which reads every byte of a layer that may be noise. */
function count(data: Uint8Array, start: number, end: number, counts: Uint32Array): void {
  for (let at = start; at < end; at++) {
    const byte = data[at] as number;
    counts[byte] = (counts[byte] as number) + 1;
  }
}

function looksEven(data: Uint8Array, start: number): boolean {
  let high = 0;
  for (let at = start; at < start + quickLook.length; at++) high += (data[at] as number) >>> 7;
  return high >= quickLook.least && high <= quickLook.most;
}

function isUniform(counts: Uint32Array): boolean {
  let squares = 0;
  for (let value = 0; value < 256; value++) squares += (counts[value] as number) ** 2;
  const found = (squares * 256) / pieceLength - pieceLength;
  return found >= chiSquared.least && found <= chiSquared.most;
}
