// Bytes as text and numbers in the forms that keys come in: base64, base64url, and numbers of a fixed size.
import { sshJoin } from "./wire.ts";

/** Elliptic curves by their name in JSON Web Keys. */
export const curves: Readonly<
  Record<string, { readonly ssh: string; readonly hash: string; readonly size: number }>
> = {
  "P-256": { ssh: "nistp256", hash: "sha256", size: 32 },
  "P-384": { ssh: "nistp384", hash: "sha384", size: 48 },
  "P-521": { ssh: "nistp521", hash: "sha512", size: 66 },
};

/** Throws what `atob` throws for text that is not base64. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

export function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function fromBase64url(text = ""): Uint8Array {
  return fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
}

/** Without the zeros in front that mean nothing, and as many as are needed to fill `size`. */
export function fitted(bytes: Uint8Array, size: number): Uint8Array {
  const digits = bytes.subarray(Math.max(0, bytes.length - size));
  return sshJoin([new Uint8Array(size - digits.length), digits]);
}
