// File modes as Go's os.FileMode has them, and as the kernel has them.

const goBits: readonly (readonly [go: number, unix: number])[] = [
  [2 ** 31, 0o040000],
  [2 ** 27, 0o120000],
  [2 ** 25, 0o010000],
  [2 ** 24, 0o140000],
  // A character device has both bits.
  [2 ** 26 + 2 ** 21, 0o020000],
  [2 ** 26, 0o060000],
];

const special: readonly (readonly [go: number, unix: number])[] = [
  [2 ** 23, 0o4000],
  [2 ** 22, 0o2000],
  [2 ** 20, 0o1000],
];

const typeMask = 0o170000;
const regular = 0o100000;

/** From `st_mode` to os.FileMode. */
export function goMode(mode: number): number {
  const type = mode & typeMask;
  let go = (mode & 0o777) + (goBits.find(([, unix]) => unix === type)?.[0] ?? 0);
  for (const [bit, unix] of special) if ((mode & unix) !== 0) go += bit;
  return go;
}

/** From os.FileMode to `st_mode`. Kinds of files that the kernel does not have become sockets, which nobody takes. */
export function unixMode(go: number): number {
  const has = (bits: number) => (go & bits) >>> 0 === bits;
  let mode = go & 0o777;
  for (const [bit, unix] of special) if (has(bit)) mode |= unix;
  const irregular = has(2 ** 19);
  const found = goBits.find(([bits]) => has(bits));
  return mode | (irregular ? 0o140000 : (found?.[1] ?? regular));
}
