// Signatures of OpenPGP (RFC 9580, section 5.2): what one says of itself, and whether a key made it over some bytes.
import { createHash, createVerify, type Hash, type Verify, verify } from "node:crypto";
import { openPgpInvalid } from "./failure.ts";
import { ByteReader, lengthAfter } from "./packets.ts";
import { hex, type KeyMaterial, keyAlgorithms } from "./public-key.ts";

/** What is signed (section 5.2.1), as far as it matters here. */
export const signatureTypes = {
  binary: 0x00,
  text: 0x01,
  certifications: [0x10, 0x11, 0x12, 0x13],
  subkeyBinding: 0x18,
  primaryBinding: 0x19,
  direct: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
} as const;

export interface Signature {
  readonly type: number;
  readonly algorithm: KeyMaterial["algorithm"];
  /** Name of the hash in this machine's library. */
  readonly hash: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** How long the signature holds, in seconds; 0 is for ever. */
  readonly lifetime: number;
  /** How long the key that it is about is of use, in seconds after its creation; 0 is for ever. */
  readonly keyLifetime: number;
  /** What the key that it is about may do; undefined says nothing. */
  readonly keyFlags: number | undefined;
  /** Fingerprint or key id of who made it, in upper-case hexadecimal digits; empty is unknown. */
  readonly issuer: string;
  /** The signature of a subkey over its primary key, within the one that binds them. */
  readonly embedded: Signature | undefined;
  /** What is hashed after the data. */
  readonly trailer: Uint8Array;
  /** The algorithm's numbers. */
  readonly values: readonly Uint8Array[];
}

/** The bit of `keyFlags` for keys that may sign data. */
export const maySign = 0x02;

/** Hash algorithms by number (section 9.5). MD5 and RIPEMD are not among them. */
const hashes: Readonly<Record<number, string>> = {
  2: "sha1",
  8: "sha256",
  9: "sha384",
  10: "sha512",
  11: "sha224",
};

/** A packet's body. Undefined for versions, kinds and critical parts that are not known: such a signature counts for nothing. */
export function readSignature(body: Uint8Array, depth = 0): Signature | undefined {
  const reader = new ByteReader(body);
  if (reader.number(1) !== 4) return undefined;
  const type = reader.number(1);
  const algorithm = keyAlgorithms[reader.number(1)];
  const hash = hashes[reader.number(1)];
  const hashed = reader.take(reader.number(2));
  const end = reader.offset;
  const unhashed = reader.take(reader.number(2));
  reader.take(2);
  if (algorithm === undefined || hash === undefined) return undefined;
  const said = new Said();
  if (!said.read(hashed, true, depth) || !said.read(unhashed, false, depth)) return undefined;
  if (said.created === undefined) return undefined;
  const head = body.subarray(0, end);
  const trailer = Uint8Array.of(...head, 4, 0xff, 0, 0, end >> 8, end & 255);
  const values = algorithm === "rsa" ? [reader.integer()] : [reader.integer(), reader.integer()];
  const { created, lifetime, keyLifetime, keyFlags, issuer, embedded } = said;
  return {
    ...{ type, algorithm, hash, created, lifetime, keyLifetime, keyFlags, issuer, embedded },
    ...{ trailer, values },
  };
}

/** The subpackets of a signature (section 5.2.3.7). */
class Said {
  created: number | undefined;
  lifetime = 0;
  keyLifetime = 0;
  keyFlags: number | undefined;
  issuer = "";
  embedded: Signature | undefined;

  /** False when something critical is not understood. What is not `trusted` could be added by anybody. */
  read(area: Uint8Array, trusted: boolean, depth: number): boolean {
    const reader = new ByteReader(area);
    while (!reader.isAtEnd) {
      const length = lengthAfter(reader.number(1), reader);
      if (length === 0) throw openPgpInvalid("a subpacket without a type");
      const [type = 0, ...rest] = reader.take(length);
      const known = this.#note(type & 0x7f, Uint8Array.from(rest), trusted, depth);
      if (!known && type >= 0x80) return false;
    }
    return true;
  }

  #note(type: number, data: Uint8Array, trusted: boolean, depth: number): boolean {
    const reader = new ByteReader(data);
    switch (type) {
      case 16:
        if (this.issuer === "") this.issuer = hex(data).toUpperCase();
        return true;
      case 33:
        if (data[0] === 4) this.issuer = hex(data.subarray(1)).toUpperCase();
        return true;
      case 32:
        if (depth === 0) this.embedded = readSignature(data, depth + 1);
        return true;
    }
    if (!trusted) return false;
    switch (type) {
      case 2:
        this.created = reader.number(4);
        return true;
      case 3:
        this.lifetime = reader.number(4);
        return true;
      case 9:
        this.keyLifetime = reader.number(4);
        return true;
      case 27:
        this.keyFlags = data[0] ?? 0;
        return true;
      default:
        return harmless.has(type);
    }
  }
}

/** Preferences, features, policies and names: what they say changes nothing about whether a signature holds. */
const harmless: ReadonlySet<number> = new Set([4, 7, 11, 21, 22, 23, 24, 25, 26, 28, 29, 30, 34]);

/** Takes in what is signed, and says whether `material` signed it. */
export class SignatureCheck {
  readonly #signature: Signature;
  readonly #material: KeyMaterial;
  /** EdDSA signs the hash; the others are made over the data, hashed on the way. */
  readonly #state: Hash | Verify;

  constructor(signature: Signature, material: KeyMaterial) {
    this.#signature = signature;
    this.#material = material;
    const { hash } = signature;
    this.#state = material.algorithm === "eddsa" ? createHash(hash) : createVerify(hash);
  }

  update(data: Uint8Array): void {
    this.#state.update(data);
  }

  /** Called once, after all data. */
  holds(): boolean {
    const { algorithm, key, bits } = this.#material;
    if (algorithm !== this.#signature.algorithm) return false;
    this.#state.update(this.#signature.trailer);
    const size =
      algorithm === "rsa" ? Math.ceil(bits / 8) : algorithm === "eddsa" ? 32 : Math.ceil(bits / 8);
    if (this.#signature.values.some((value) => value.length > size)) return false;
    const signed = join(this.#signature.values.map((value) => padded(value, size)));
    if ("verify" in this.#state) {
      const options = algorithm === "ecdsa" ? { key, dsaEncoding: "ieee-p1363" as const } : key;
      return this.#state.verify(options, signed);
    }
    return verify(null, this.#state.digest(), key, signed);
  }
}

function padded(value: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(value, size - value.length);
  return out;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
