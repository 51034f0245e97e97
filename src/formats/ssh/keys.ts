// Private keys in files: OpenSSH's own form and PEM, and what they sign with.
import { createPrivateKey, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import { KilnError } from "../../base/index.ts";
import { base64url, curves, fitted, fromBase64, fromBase64url } from "./encoding.ts";
import { SshReader, sshInteger, sshJoin, sshString } from "./wire.ts";

/** A key that an agent can offer. */
export interface SshKey {
  /** Public part, as it goes over the wire. */
  readonly blob: Uint8Array;
  readonly comment: string;
  /** The signature with its algorithm's name; `flags` are those of a sign request. */
  sign(data: Uint8Array, flags: number): Uint8Array;
}

/** Of a sign request (draft-miller-ssh-agent, section 4.5.1). */
const RSA_SHA2_256 = 2;
const RSA_SHA2_512 = 4;

/** Reads a private key file; `name` is for messages. Throws `SSH_FAILED` for what is no key, or is locked by a passphrase. */
export function readPrivateKey(text: string, name: string): SshKey {
  if (text.includes("BEGIN OPENSSH PRIVATE KEY")) return readOpenSsh(text, name);
  if (/ENCRYPTED/.test(text)) throw locked(name);
  try {
    return keyOf(createPrivateKey(text), name);
  } catch (cause) {
    if (cause instanceof KilnError) throw cause;
    throw noKey(name, cause);
  }
}

function readOpenSsh(text: string, name: string): SshKey {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1] ?? "";
  const data = fromBase64(body.replace(/\s+/g, ""));
  const magic = "openssh-key-v1\0";
  if (new TextDecoder("latin1").decode(data.subarray(0, magic.length)) !== magic)
    throw noKey(name, undefined);
  try {
    const reader = new SshReader(data.subarray(magic.length));
    if (reader.text() !== "none") throw locked(name);
    reader.bytes();
    reader.bytes();
    if (reader.number() !== 1) throw noKey(name, undefined);
    reader.bytes();
    return readSecretPart(new SshReader(reader.bytes()), name);
  } catch (cause) {
    throw cause instanceof KilnError ? cause : noKey(name, cause);
  }
}

function readSecretPart(reader: SshReader, name: string): SshKey {
  const [check, again] = [reader.number(), reader.number()];
  if (check !== again) throw noKey(name, undefined);
  const kind = reader.text();
  const jwk = readParts(kind, reader);
  if (jwk === undefined) {
    throw new KilnError("SSH_FAILED", `${name} is a ${kind} key, which Kiln cannot lend`, {
      hint: "Add it to an agent with ssh-add, and pass --ssh default.",
    });
  }
  return keyOf(createPrivateKey({ key: jwk, format: "jwk" }), reader.text() || name);
}

function readParts(kind: string, reader: SshReader): JsonWebKey | undefined {
  if (kind === "ssh-ed25519") {
    const x = base64url(reader.bytes());
    return { kty: "OKP", crv: "Ed25519", x, d: base64url(reader.bytes().subarray(0, 32)) };
  }
  if (kind === "ssh-rsa") return readRsa(reader);
  if (!kind.startsWith("ecdsa-sha2-")) return undefined;
  const curve = reader.text();
  const found = Object.entries(curves).find(([, one]) => one.ssh === curve);
  if (found === undefined) return undefined;
  const [crv, { size }] = found;
  const point = reader.bytes();
  return {
    kty: "EC",
    crv,
    x: base64url(point.subarray(1, 1 + size)),
    y: base64url(point.subarray(1 + size)),
    d: base64url(fitted(reader.bytes(), size)),
  };
}

function readRsa(reader: SshReader): JsonWebKey {
  const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => integerOf(reader.bytes()));
  const [secret = 0n, first = 1n, second = 1n] = [d, p, q];
  const dp = secret % (first - 1n);
  const dq = secret % (second - 1n);
  const [N, E, D, P, Q, DP, DQ, QI] = [n, e, d, p, q, dp, dq, qi].map((one) =>
    base64url(bytesOf(one ?? 0n)),
  );
  return {
    kty: "RSA",
    n: N ?? "",
    e: E ?? "",
    d: D ?? "",
    p: P ?? "",
    q: Q ?? "",
    dp: DP ?? "",
    dq: DQ ?? "",
    qi: QI ?? "",
  };
}

function keyOf(key: KeyObject, comment: string): SshKey {
  const jwk = key.export({ format: "jwk" });
  switch (key.asymmetricKeyType) {
    case "ed25519": {
      const name = "ssh-ed25519";
      const blob = sshJoin([sshString(name), sshString(fromBase64url(jwk.x))]);
      const signed = (data: Uint8Array) => signature(name, sign(null, data, key));
      return { blob, comment, sign: signed };
    }
    case "rsa":
      return rsaKey(key, jwk, comment);
    case "ec":
      return ecKey(key, jwk, comment);
    default:
      throw noKey(comment, undefined);
  }
}

function rsaKey(key: KeyObject, jwk: JsonWebKey, comment: string): SshKey {
  const parts = [jwk.e, jwk.n].map((part) => sshInteger(fromBase64url(part)));
  return {
    blob: sshJoin([sshString("ssh-rsa"), ...parts]),
    comment,
    sign(data, flags) {
      if ((flags & RSA_SHA2_512) !== 0) return signature("rsa-sha2-512", sign("sha512", data, key));
      if ((flags & RSA_SHA2_256) !== 0) return signature("rsa-sha2-256", sign("sha256", data, key));
      return signature("ssh-rsa", sign("sha1", data, key));
    },
  };
}

function ecKey(key: KeyObject, jwk: JsonWebKey, comment: string): SshKey {
  const curve = curves[jwk.crv ?? ""];
  if (curve === undefined) throw noKey(comment, undefined);
  const { ssh, hash, size } = curve;
  const name = `ecdsa-sha2-${ssh}`;
  const point = [Uint8Array.of(4), fromBase64url(jwk.x), fromBase64url(jwk.y)];
  return {
    blob: sshJoin([sshString(name), sshString(ssh), sshString(sshJoin(point))]),
    comment,
    sign(data) {
      const raw = sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
      const pair = [sshInteger(raw.subarray(0, size)), sshInteger(raw.subarray(size))];
      return signature(name, sshJoin(pair));
    },
  };
}

function signature(algorithm: string, value: Uint8Array): Uint8Array {
  return sshJoin([sshString(algorithm), sshString(value)]);
}

function integerOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

function bytesOf(value: bigint): Uint8Array {
  const hex = value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return Uint8Array.from(even.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function locked(name: string): KilnError {
  return new KilnError("SSH_FAILED", `the key ${name} is protected by a passphrase`, {
    hint: `Add it to an agent with "ssh-add ${name}", and pass --ssh default.`,
  });
}

function noKey(name: string, cause: unknown): KilnError {
  return new KilnError("SSH_FAILED", `${name} is not a private key that can be read`, {
    cause,
    hint: "Pass --ssh ID=FILE with a private key in OpenSSH's form or as PEM, or with an agent's socket.",
  });
}
