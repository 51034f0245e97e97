// Content digests: `sha256:<64 hex>`, as the OCI image specification writes them (descriptor.md, "Digests").
import { createHash, hash } from "node:crypto";
import { KilnError } from "./errors.ts";

declare const brand: unique symbol;

/** `sha256:<64 hex>`. Only `parseDigest()` and the hashers make one, so a Digest is always safe as a file name part. */
export type Digest = string & { readonly [brand]: "Digest" };

const pattern = /^sha256:[0-9a-f]{64}$/;

/** True when `text` is a well-formed sha256 digest. */
export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** Reads a digest that came from outside. Throws `DIGEST_INVALID` for anything but sha256 in lower-case hex. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new KilnError(
    "DIGEST_INVALID",
    `not a sha256 digest: ${JSON.stringify(text.slice(0, 100))}`,
  );
}

/** The 64 hex characters, without the algorithm. */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** Digest of bytes, or of a string's UTF-8 bytes. */
export function digestOf(data: Uint8Array | string): Digest {
  return digestFromHex(hash("sha256", data, "hex"));
}

/** Hashes what it is fed, piece by piece. `update` returns the digester itself. */
export interface Digester {
  update(chunk: Uint8Array | string): Digester;
  /** Ends the hashing: call once. */
  digest(): Digest;
}

/** A running sha256. */
export function createDigester(): Digester {
  const hash = createHash("sha256");
  const digester: Digester = {
    update(chunk) {
      hash.update(chunk);
      return digester;
    },
    digest: () => digestFromHex(hash.digest("hex")),
  };
  return digester;
}

function digestFromHex(hex: string): Digest {
  return `sha256:${hex}` as Digest;
}
