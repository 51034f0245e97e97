// Detached signatures over files: who is to have signed, what counts as signed, and what is said when it does not.
import { KilnError } from "../../base/index.ts";
import { dearmored } from "./armor.ts";
import { isBy, readSigningKeys, type SigningKey } from "./certificate.ts";
import { openPgpInvalid } from "./failure.ts";
import { readPackets, tags } from "./packets.ts";
import { readSignature, type Signature, SignatureCheck, signatureTypes } from "./signature.ts";

export interface DetachedOptions {
  readonly now: Date;
  /** Refuses keys that have expired by now, though they had not when they signed. */
  readonly rejectExpired?: boolean;
}

export interface Signer {
  /** Of the key that signed, in upper-case hexadecimal digits. */
  readonly fingerprint: string;
  readonly owner: string;
}

interface Candidate {
  readonly signature: Signature;
  readonly by: SigningKey;
  readonly check: SignatureCheck;
}

/** More signatures over one file are not looked at. */
const maxSignatures = 16;

/** As the reference's: weaker ones can be forged. */
const strongHashes: ReadonlySet<string> = new Set(["sha256", "sha384", "sha512"]);
const leastRsaBits = 2048;

/** How far clocks may differ, in seconds (BuildKit util/pgpsign). */
const clockTolerance = 5 * 60;

/**
 * Whether one of the keys signed a file: made with signature and keys (armored or binary), fed with the file, asked at its
 * end. Everything that is not surely right throws `SIGNATURE_INVALID`.
 */
export class DetachedCheck {
  readonly #candidates: readonly Candidate[];
  #text: TextForm | undefined;

  constructor(signature: Uint8Array, keys: Uint8Array, options: DetachedOptions) {
    const signatures = readDetached(signature);
    const ring = readSigningKeys(keys);
    const candidates = signatures.flatMap((one) =>
      ring.filter(({ key }) => isBy(one, key)).map((by) => ({ signature: one, by })),
    );
    if (candidates.length === 0) throw unknownSigner(signatures);
    const refusals = candidates.map((one) => refusalOf(one, options));
    this.#candidates = candidates.flatMap(({ signature: one, by }, index) => {
      const { material } = by.key;
      if (refusals[index] !== undefined || !material) return [];
      return [{ signature: one, by, check: new SignatureCheck(one, material) }];
    });
    if (this.#candidates.length === 0) throw openPgpInvalid(refusals[0] ?? "no signature counts");
  }

  update(data: Uint8Array): void {
    const { binary, text } = signatureTypes;
    const of = (type: number) =>
      this.#candidates.filter(({ signature }) => signature.type === type);
    for (const { check } of of(binary)) check.update(data);
    const texts = of(text);
    if (texts.length === 0) return;
    this.#text ??= new TextForm();
    const lines = this.#text.convert(data);
    for (const { check } of texts) check.update(lines);
  }

  /** Called once, after the whole file. Throws `SIGNATURE_INVALID` unless a signature holds. */
  finish(): Signer {
    // Every one is asked, whichever holds: nothing is left half done.
    const good = this.#candidates.filter(({ check }) => check.holds())[0];
    if (good) return { fingerprint: good.by.key.fingerprint, owner: good.by.owner };
    const [first] = this.#candidates;
    throw new KilnError(
      "SIGNATURE_INVALID",
      `OpenPGP: the signature of ${first?.by.key.fingerprint} is for other bytes`,
      { hint: "The file is not what was signed: it was changed, cut short, or another version." },
    );
  }
}

function readDetached(data: Uint8Array): readonly Signature[] {
  const packets = dearmored(data, ["SIGNATURE"]).flatMap(readPackets);
  const found = packets
    .filter(({ tag }) => tag === tags.signature)
    .slice(0, maxSignatures)
    .flatMap(({ body }) => readSignature(body) ?? []);
  if (found.length > 0) return found;
  throw openPgpInvalid(
    "there is no signature of a kind that is understood (version 4; RSA, ECDSA or EdDSA)",
  );
}

function unknownSigner(signatures: readonly Signature[]): KilnError {
  const issuers = [...new Set(signatures.map(({ issuer }) => issuer || "an unnamed key"))];
  return new KilnError(
    "SIGNATURE_INVALID",
    `OpenPGP: the signature is by ${issuers.join(", ")}, and none of the given keys is that one, or may sign`,
    { hint: "Give the key of who signs these files, if you trust it." },
  );
}

/** Why a signature does not count whatever the file is; undefined if it may. */
function refusalOf(
  { signature, by }: Omit<Candidate, "check">,
  { now, rejectExpired = false }: DetachedOptions,
): string | undefined {
  const { type, hash, created, lifetime } = signature;
  const { key, expires, revoked } = by;
  const present = now.getTime() / 1000;
  const name = `key ${key.fingerprint}`;
  const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
  if (type !== signatureTypes.binary && type !== signatureTypes.text)
    return "the signature is not one over a file";
  if (!strongHashes.has(hash)) return `the signature uses the weak hash ${hash}`;
  if (!key.material) return `${name} is of a kind that is not understood`;
  if (key.material.algorithm === "rsa" && key.material.bits < leastRsaBits)
    return `${name} is too short: ${key.material.bits} bits, not ${leastRsaBits}`;
  if (revoked) return `${name} has been revoked`;
  if (created > present + clockTolerance)
    return `the signature is from the future, ${day(created)}`;
  if (created < key.created) return `the signature is older than ${name}`;
  if (lifetime !== 0 && created + lifetime <= present)
    return `the signature expired on ${day(created + lifetime)}`;
  const used = rejectExpired ? present : created;
  if (expires !== undefined && used >= expires) return `${name} expired on ${day(expires)}`;
  return undefined;
}

/** A file as signatures over text see it: lines end with CR LF (section 5.2.1.2). */
class TextForm {
  #afterReturn = false;

  convert(data: Uint8Array): Uint8Array {
    const out = new Uint8Array(data.length * 2);
    let size = 0;
    for (const byte of data) {
      if (byte === 10 && !this.#afterReturn) out[size++] = 13;
      out[size++] = byte;
      this.#afterReturn = byte === 13;
    }
    return out.subarray(0, size);
  }
}
