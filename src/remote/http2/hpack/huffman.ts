// HPACK's Huffman code (RFC 7541, appendix B): canonical, so that the lengths of its codes say all of it.

/** Bits of the code of each byte and, at last, of the end of the string; `length*count` stands for several. */
const lengthsOfCodes =
  "13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 13 6 7*22 " +
  "8 7 8 13 19 13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22 20*2 22*3 23 22 " +
  "23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2 24 21 22 23*2 21*2 22 21 " +
  "23 22 23*2 20 22*3 23 22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 26 24 25 19 21 26 27*2 26 27 24 21*2 26*2 " +
  "28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2 27*5 28 27*5 26 30";

const endOfString = 256;

/**
 * The code as a tree: entry `2 * node + bit` is the node that comes next, or `-1 - symbol` of a leaf. Made when the first
 * string is read.
 */
let tree: Int16Array | undefined;

function makeTree(): Int16Array {
  const lengths = lengthsOfCodes.split(" ").flatMap((run) => {
    const [length = 0, count = 1] = run.split("*").map(Number);
    return new Array<number>(count).fill(length);
  });
  const symbols = Array.from(lengths.keys()).sort(
    (a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b,
  );
  const made = new Int16Array(2 * lengths.length);
  let nodes = 1;
  let code = 0;
  let bits = 0;
  for (const symbol of symbols) {
    const length = lengths[symbol] as number;
    code *= 2 ** (length - bits);
    bits = length;
    let node = 0;
    for (let at = length - 1; at > 0; at--) {
      const edge = 2 * node + ((code >>> at) & 1);
      if (made[edge] === 0) made[edge] = nodes++;
      node = made[edge] as number;
    }
    made[2 * node + (code & 1)] = -1 - symbol;
    code++;
  }
  return made;
}

/** The bytes that are coded, one a character; undefined where the code is broken or wrongly padded (RFC 7541, 5.2). */
export function decodeHuffman(coded: Uint8Array): string | undefined {
  tree ??= makeTree();
  let text = "";
  let node = 0;
  /** Bits since the last whole symbol, and whether all of them are ones. */
  let pending = 0;
  let ones = true;
  for (const byte of coded) {
    for (let at = 7; at >= 0; at--) {
      const bit = (byte >>> at) & 1;
      const next = tree[2 * node + bit] as number;
      if (next >= 0) {
        node = next;
        pending++;
        ones &&= bit === 1;
        continue;
      }
      if (next === -1 - endOfString) return undefined;
      text += String.fromCharCode(-1 - next);
      node = 0;
      pending = 0;
      ones = true;
    }
  }
  return pending < 8 && ones ? text : undefined;
}
