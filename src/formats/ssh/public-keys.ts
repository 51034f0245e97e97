// Public keys as `ssh-keygen` writes them, one a line, and signatures that they are asked about.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { base64url, curves, fitted, fromBase64 } from "./encoding.ts";
import { SshReader, sshJoin } from "./wire.ts";

export interface SshPublicKey {
  /** As it goes over the wire. */
  readonly blob: Uint8Array;
  readonly comment: string;
}

/** Shorter keys can be broken. */
const leastRsaBits = 2048;

/**
 * The keys of a text, one a line as in `id_ed25519.pub`; empty lines and comments do not count. Undefined where a line is
 * anything else: what it may say of its key's limits would not be kept to.
 */
export function readPublicKeys(text: string): readonly SshPublicKey[] | undefined {
  const keys: SshPublicKey[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [type = "", encoded = "", ...comment] = line.trim().split(/\s+/);
    try {
      const blob = fromBase64(encoded);
      if (new SshReader(blob).text() !== type) return undefined;
      keys.push({ blob, comment: comment.join(" ") });
    } catch {
      return undefined;
    }
  }
  return keys;
}

/**
 * Whether the key made `signature`, which names its algorithm, over `data`. False for kinds of keys and algorithms that
 * are not known, or too weak to prove anything. Throws `SSH_FAILED` for data that ends too early.
 */
export function verifySsh(key: SshPublicKey, signature: Uint8Array, data: Uint8Array): boolean {
  const reader = new SshReader(signature);
  const algorithm = reader.text();
  const value = reader.bytes();
  if (!reader.isAtEnd) return false;
  const found = readKey(key.blob);
  if (found === undefined) return false;
  const { type, object } = found;
  if (type === "ssh-rsa") {
    const hash = { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" }[algorithm];
    return hash !== undefined && verify(hash, data, object, value);
  }
  if (algorithm !== type) return false;
  if (type === "ssh-ed25519") return verify(null, data, object, value);
  const curve = curveOf(type);
  if (curve === undefined) return false;
  const pair = new SshReader(value);
  const [r, s] = [pair.bytes(), pair.bytes()].map((one) => fitted(one, curve.size));
  const raw = sshJoin([r ?? value, s ?? value]);
  return verify(curve.hash, data, { key: object, dsaEncoding: "ieee-p1363" }, raw);
}

function readKey(
  blob: Uint8Array,
): { readonly type: string; readonly object: KeyObject } | undefined {
  const reader = new SshReader(blob);
  const type = reader.text();
  const jwk = publicParts(type, reader);
  if (jwk === undefined || !reader.isAtEnd) return undefined;
  try {
    const object = createPublicKey({ key: jwk, format: "jwk" });
    const { modulusLength } = object.asymmetricKeyDetails ?? {};
    if (modulusLength !== undefined && modulusLength < leastRsaBits) return undefined;
    return { type, object };
  } catch {
    // Numbers that make no key.
    return undefined;
  }
}

function publicParts(type: string, reader: SshReader): Record<string, string> | undefined {
  if (type === "ssh-ed25519") return { kty: "OKP", crv: "Ed25519", x: base64url(reader.bytes()) };
  if (type === "ssh-rsa") {
    const e = base64url(unsigned(reader.bytes()));
    return { kty: "RSA", e, n: base64url(unsigned(reader.bytes())) };
  }
  const curve = curveOf(type);
  if (curve === undefined || reader.text() !== curve.ssh) return undefined;
  const point = reader.bytes();
  const { crv, size } = curve;
  if (point[0] !== 4 || point.length !== 1 + 2 * size) return undefined;
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
  return { kty: "EC", crv, x: base64url(x), y: base64url(y) };
}

function curveOf(type: string) {
  const found = Object.entries(curves).find(([, { ssh }]) => type === `ecdsa-sha2-${ssh}`);
  return found && { crv: found[0], ...found[1] };
}

function unsigned(integer: Uint8Array): Uint8Array {
  const start = integer.findIndex((byte) => byte !== 0);
  return integer.subarray(start === -1 ? integer.length : start);
}
