// Signatures over files and git objects made with SSH keys (OpenSSH, PROTOCOL.sshsig).
import { createHash } from "node:crypto";
import { KilnError } from "../../base/index.ts";
import { fromBase64 } from "./encoding.ts";
import { readPublicKeys, type SshPublicKey, verifySsh } from "./public-keys.ts";
import { SshReader, sshJoin, sshString } from "./wire.ts";

/** Names the key that signed, for people. */
export interface SshSigner {
  /** `SHA256:…`, as ssh-keygen shows it. */
  readonly fingerprint: string;
  readonly comment: string;
}

interface SignatureParts {
  readonly key: Uint8Array;
  readonly namespace: string;
  readonly hash: string;
  /** All that is signed but the hash of the data. */
  readonly head: Uint8Array;
  readonly signature: Uint8Array;
}

const magic = new TextEncoder().encode("SSHSIG");
const hashes: readonly string[] = ["sha256", "sha512"];

/** Larger signatures are not read, in characters. */
const maxSize = 64 * 1024;

/**
 * Which of `keys`, one a line as in a `.pub` file, signed `data` for the purpose `namespace`. The signature is armored.
 * Everything that is not surely right throws `SIGNATURE_INVALID`.
 */
export function checkSshSignature(
  armored: string,
  keys: string,
  data: Uint8Array,
  namespace: string,
): SshSigner {
  const trusted = readPublicKeys(keys);
  if (!trusted || trusted.length === 0)
    throw invalid("the given keys are not SSH public keys, one a line");
  const parts = readSignature(armored);
  if (parts.namespace !== namespace)
    throw invalid(`the signature is one for ${JSON.stringify(parts.namespace)}, not ${namespace}`);
  if (!hashes.includes(parts.hash)) throw invalid(`the hash ${parts.hash} is not trusted`);
  const by = trusted.find(({ blob }) => sameBytes(blob, parts.key));
  if (!by) {
    throw new KilnError(
      "SIGNATURE_INVALID",
      `SSH: the signature is by ${fingerprintOf(parts.key)}, which none of the given keys is`,
      { hint: "Give the key of who signs, if you trust it." },
    );
  }
  const digest = createHash(parts.hash).update(data).digest();
  if (!holds(by, parts.signature, sshJoin([parts.head, sshString(digest)])))
    throw invalid(`the signature of ${fingerprintOf(by.blob)} is for other bytes, or too weak`);
  return { fingerprint: fingerprintOf(by.blob), comment: by.comment };
}

function holds(key: SshPublicKey, signature: Uint8Array, data: Uint8Array): boolean {
  try {
    return verifySsh(key, signature, data);
  } catch (cause) {
    throw invalid("the signature cannot be read", cause);
  }
}

function readSignature(armored: string): SignatureParts {
  const found = /^-----BEGIN SSH SIGNATURE-----$([\s\S]*)^-----END SSH SIGNATURE-----$/m.exec(
    armored.length > maxSize ? "" : armored,
  );
  try {
    const data = fromBase64((found?.[1] ?? "-").replace(/\s+/g, ""));
    if (!sameBytes(data.subarray(0, magic.length), magic)) throw invalid("no signature");
    const reader = new SshReader(data.subarray(magic.length));
    const version = reader.number();
    if (version !== 1) throw invalid(`signatures of version ${version} are not known`);
    const key = reader.bytes();
    const [namespace, reserved, hash] = [reader.bytes(), reader.bytes(), reader.bytes()];
    const signature = reader.bytes();
    if (!reader.isAtEnd) throw invalid("there is more than the signature");
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const head = sshJoin([magic, ...[namespace, reserved, hash].map(sshString)]);
    return { key, namespace: text(namespace), hash: text(hash), head, signature };
  } catch (cause) {
    if (cause instanceof KilnError && cause.code === "SIGNATURE_INVALID") throw cause;
    throw invalid("the signature cannot be read", cause);
  }
}

function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function invalid(why: string, cause?: unknown): KilnError {
  return new KilnError("SIGNATURE_INVALID", `SSH: ${why}`, cause === undefined ? {} : { cause });
}
