// Public keys of OpenPGP (RFC 9580, section 5.5): version 4, RSA, ECDSA and EdDSA, as keys of this machine's library.
import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { openPgpInvalid } from "./failure.ts";
import { ByteReader } from "./packets.ts";

export interface PublicKey {
  /** In upper-case hexadecimal digits. */
  readonly fingerprint: string;
  readonly keyId: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** The packet's body without secret parts: what fingerprints and signatures are made over. */
  readonly body: Uint8Array;
  /** Undefined: its kind of key cannot sign, or is not one that is trusted. */
  readonly material: KeyMaterial | undefined;
}

export interface KeyMaterial {
  readonly algorithm: "rsa" | "ecdsa" | "eddsa";
  readonly key: KeyObject;
  /** Of RSA's modulus, or of one coordinate. */
  readonly bits: number;
}

/** Public-key algorithms by number (section 9.1). */
export const keyAlgorithms: Readonly<Record<number, KeyMaterial["algorithm"]>> = {
  1: "rsa",
  3: "rsa",
  19: "ecdsa",
  22: "eddsa",
};

/** Curves by their object identifier, in hexadecimal digits. */
const curves: Readonly<Record<string, { readonly crv: string; readonly bits: number }>> = {
  "2a8648ce3d030107": { crv: "P-256", bits: 256 },
  "2b81040022": { crv: "P-384", bits: 384 },
  "2b81040023": { crv: "P-521", bits: 521 },
};
const ed25519 = "2b06010401da470f01";

/** The body of a key or subkey packet, public or secret. Throws `SIGNATURE_INVALID`; undefined for other versions than 4. */
export function readPublicKey(data: Uint8Array): PublicKey | undefined {
  const reader = new ByteReader(data);
  if (reader.number(1) !== 4) return undefined;
  const created = reader.number(4);
  const algorithm = reader.number(1);
  const material = readMaterial(algorithm, reader);
  // The public part of other kinds has no known end: as they sign nothing here, all of it is taken.
  if (!(algorithm in keyAlgorithms)) reader.rest();
  const body = data.subarray(0, reader.offset);
  if (body.length > 0xffff) throw openPgpInvalid("a key is too long");
  const fingerprint = createHash("sha1").update(framedKey(body)).digest("hex").toUpperCase();
  return { fingerprint, keyId: fingerprint.slice(-16), created, body, material };
}

/** A key as hashes take it in (section 5.5.4). */
export function framedKey(body: Uint8Array): Uint8Array {
  return Uint8Array.of(0x99, body.length >> 8, body.length & 255, ...body);
}

function readMaterial(algorithm: number, reader: ByteReader): KeyMaterial | undefined {
  switch (keyAlgorithms[algorithm]) {
    case "rsa": {
      const n = reader.integer();
      const e = reader.integer();
      const key = importKey({ kty: "RSA", n: base64url(n), e: base64url(e) });
      return key && { algorithm: "rsa", key, bits: bitsOf(n) };
    }
    case "ecdsa": {
      const { crv, bits } = curves[readCurve(reader)] ?? { crv: "", bits: 0 };
      const point = reader.integer();
      const size = Math.ceil(bits / 8);
      if (crv === "" || point[0] !== 4 || point.length !== 1 + 2 * size) return undefined;
      const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
      const key = importKey({ kty: "EC", crv, x: base64url(x), y: base64url(y) });
      return key && { algorithm: "ecdsa", key, bits };
    }
    case "eddsa": {
      const curve = readCurve(reader);
      const point = reader.integer();
      if (curve !== ed25519 || point[0] !== 0x40 || point.length !== 33) return undefined;
      const key = importKey({ kty: "OKP", crv: "Ed25519", x: base64url(point.subarray(1)) });
      return key && { algorithm: "eddsa", key, bits: 256 };
    }
    default:
      return undefined;
  }
}

function readCurve(reader: ByteReader): string {
  return hex(reader.take(reader.number(1)));
}

/** Undefined for numbers that make no key, such as a point beside its curve. */
function importKey(key: Readonly<Record<string, string>>): KeyObject | undefined {
  try {
    return createPublicKey({ format: "jwk", key });
  } catch {
    return undefined;
  }
}

function bitsOf(number: Uint8Array): number {
  return number.length === 0 ? 0 : number.length * 8 - Math.clz32(number[0] ?? 0) + 24;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
