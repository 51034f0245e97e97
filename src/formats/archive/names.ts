// File names as strings without losing bytes: what is not UTF-8 becomes lone surrogates, as Python's surrogateescape does.

/** The name as a string; every byte that is not part of valid UTF-8 becomes U+DC00 + byte. */
export function decodeName(bytes: Uint8Array): string {
  throw new Error(`not yet ${bytes}`);
}

/** The bytes that `decodeName` was given. */
export function encodeName(name: string): Uint8Array {
  throw new Error(`not yet ${name}`);
}
