// Keys with all that belongs to them (RFC 9580, section 10.1): who they are of, their subkeys, and until when they hold.
import { dearmored } from "./armor.ts";
import { openPgpInvalid } from "./failure.ts";
import { type Packet, readPackets, tags } from "./packets.ts";
import { framedKey, type PublicKey, readPublicKey } from "./public-key.ts";
import {
  maySign,
  readSignature,
  type Signature,
  SignatureCheck,
  signatureTypes,
} from "./signature.ts";

/** A key that may sign, and what its own signatures say of it. */
export interface SigningKey {
  readonly key: PublicKey;
  /** Fingerprint of the primary key that it belongs to. */
  readonly primary: string;
  /** Name and address as the owner wrote them; empty where there are none. */
  readonly owner: string;
  /** Seconds since 1970 until which key and primary key are of use; undefined is for ever. */
  readonly expires: number | undefined;
  readonly revoked: boolean;
}

/** A primary key, its user IDs and subkeys, each with the packets of signatures that follow it. */
interface Certificate {
  readonly primary: PublicKey;
  readonly parts: Part[];
}

interface Part {
  readonly packet: Packet;
  readonly signatures: Signature[];
}

/** Signatures of one part beyond this number are not looked at: others may have added as many as they liked. */
const maxSignatures = 200;

/**
 * Every key of the ring that may sign data: primary keys that have signed a user ID of theirs, or themselves, and subkeys
 * that are bound in both directions. Armored (one or more blocks) or binary. Throws `SIGNATURE_INVALID`.
 */
export function readSigningKeys(data: Uint8Array): readonly SigningKey[] {
  const kinds = ["PUBLIC KEY BLOCK", "PRIVATE KEY BLOCK"];
  const rings = dearmored(data, kinds).flatMap((ring) => certificates(readPackets(ring)));
  if (rings.length === 0) throw openPgpInvalid("there is no key of version 4 in the key ring");
  return rings.flatMap(signingKeysOf);
}

function certificates(packets: readonly Packet[]): readonly Certificate[] {
  const found: Certificate[] = [];
  let current: Certificate | undefined;
  for (const packet of packets) {
    if (packet.tag === tags.publicKey || packet.tag === tags.secretKey) {
      const primary = readPublicKey(packet.body);
      current = primary && { primary, parts: [{ packet, signatures: [] }] };
      if (current) found.push(current);
    } else if (packet.tag === tags.signature) {
      const signatures = current?.parts.at(-1)?.signatures;
      if (signatures === undefined || signatures.length >= maxSignatures || !current) continue;
      const signature = readSignature(packet.body);
      // What others say of a key is no business of ours.
      if (signature && isBy(signature, current.primary)) signatures.push(signature);
    } else current?.parts.push({ packet, signatures: [] });
  }
  return found;
}

/** Whether it says so itself; a signature that says nothing of its issuer is nobody's. */
export function isBy({ issuer }: Signature, { fingerprint, keyId }: PublicKey): boolean {
  return issuer === fingerprint || issuer === keyId;
}

function signingKeysOf({ primary, parts }: Certificate): readonly SigningKey[] {
  const own = primarySignatures(primary, parts);
  const newest = own.signatures.reduce<Signature | undefined>(newer, undefined);
  if (!newest) return [];
  const common = { primary: primary.fingerprint, owner: own.owner };
  const primaryEnd = endOf(primary, newest);
  const keys: SigningKey[] = [];
  if (newest.keyFlags === undefined || (newest.keyFlags & maySign) !== 0)
    keys.push({ key: primary, ...common, expires: primaryEnd, revoked: own.revoked });
  for (const { packet, signatures } of parts) {
    if (packet.tag !== tags.publicSubkey && packet.tag !== tags.secretSubkey) continue;
    const key = readPublicKey(packet.body);
    const bound = key && bindingOf(primary, key, signatures);
    if (!bound) continue;
    const ends = [primaryEnd, endOf(key, bound.binding)].filter((end) => end !== undefined);
    keys.push({
      ...{ key, ...common },
      expires: ends.length === 0 ? undefined : Math.min(...ends),
      revoked: own.revoked || bound.revoked,
    });
  }
  return keys;
}

/** What the primary key says of itself, checked. */
function primarySignatures(primary: PublicKey, parts: readonly Part[]) {
  const framed = framedKey(primary.body);
  const [first, ...others] = parts;
  const direct = first?.signatures ?? [];
  const { direct: directType, keyRevocation, certifications } = signatureTypes;
  const made = (signature: Signature, ...data: Uint8Array[]) => holds(signature, primary, data);
  const revoked = direct.some((one) => one.type === keyRevocation && made(one, framed));
  const signatures = direct.filter((one) => one.type === directType && made(one, framed));
  let owner = "";
  for (const { packet, signatures: said } of others) {
    if (packet.tag !== tags.userId) continue;
    const user = framedUser(packet.body);
    const own = said.filter(
      (one) => certifications.some((type) => type === one.type) && made(one, framed, user),
    );
    if (own.length > 0 && owner === "") owner = printable(packet.body);
    signatures.push(...own);
  }
  return { signatures, revoked, owner };
}

/** Undefined unless the primary key gave the subkey the right to sign, and the subkey agreed. */
function bindingOf(primary: PublicKey, key: PublicKey, signatures: readonly Signature[]) {
  const data = [framedKey(primary.body), framedKey(key.body)];
  const { subkeyBinding, subkeyRevocation, primaryBinding } = signatureTypes;
  const binding = signatures
    .filter((one) => one.type === subkeyBinding && holds(one, primary, data))
    .reduce<Signature | undefined>(newer, undefined);
  if (!binding || ((binding.keyFlags ?? 0) & maySign) === 0) return undefined;
  const back = binding.embedded;
  if (back?.type !== primaryBinding || !holds(back, key, data)) return undefined;
  const revoked = signatures.some(
    (one) => one.type === subkeyRevocation && holds(one, primary, data),
  );
  return { binding, revoked };
}

function holds(
  signature: Signature,
  { material }: PublicKey,
  data: readonly Uint8Array[],
): boolean {
  if (!material) return false;
  const check = new SignatureCheck(signature, material);
  for (const part of data) check.update(part);
  return check.holds();
}

function newer(best: Signature | undefined, one: Signature): Signature {
  return best && best.created > one.created ? best : one;
}

function endOf({ created }: PublicKey, { keyLifetime }: Signature): number | undefined {
  return keyLifetime === 0 ? undefined : created + keyLifetime;
}

/** A user ID as hashes take it in (section 5.2.4). */
function framedUser(body: Uint8Array): Uint8Array {
  const size = body.length;
  return Uint8Array.of(
    0xb4,
    size >>> 24,
    (size >> 16) & 255,
    (size >> 8) & 255,
    size & 255,
    ...body,
  );
}

/** For messages: one line, not too long. */
function printable(body: Uint8Array): string {
  return new TextDecoder().decode(body.subarray(0, 200)).replace(/\p{C}/gu, "?");
}
