// Functions of digests, random names and keys.
import { Buffer } from "node:buffer";
import { constants, createHash, createPrivateKey, privateDecrypt } from "node:crypto";
import { FunctionError, type HclFunction } from "../function.ts";
import { bcryptHash } from "./bcrypt.ts";
import type { Ambient } from "./index.ts";
import { number, simple, text } from "./signature.ts";

function hashed(algorithm: string): HclFunction {
  return simple([text("str")], ([str]) => createHash(algorithm).update(String(str)).digest("hex"));
}

const namespaces: Readonly<Record<string, string>> = {
  dns: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
  url: "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
  oid: "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
  x500: "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
};

/** Sixteen bytes as a UUID of the version (RFC 9562). */
function uuid(bytes: Uint8Array, version: number): string {
  const copy = Uint8Array.from(bytes.subarray(0, 16));
  copy[6] = ((copy[6] ?? 0) & 0x0f) | (version << 4);
  copy[8] = ((copy[8] ?? 0) & 0x3f) | 0x80;
  const hex = Buffer.from(copy).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function uuidOfName(namespace: string, name: string): string {
  const known = namespaces[namespace] ?? namespace;
  const hex = known.replaceAll("-", "");
  if (!/^[0-9a-fA-F]{32}$/.test(hex)) {
    throw new FunctionError(
      `uuidv5() doesn't support namespace ${JSON.stringify(namespace)} (${namespace.length > 0 ? "invalid UUID" : "empty"})`,
      0,
    );
  }
  const digest = createHash("sha1").update(Buffer.from(hex, "hex")).update(name).digest();
  return uuid(digest, 5);
}

function decrypted(ciphertext: string, pem: string): string {
  const data = Buffer.from(ciphertext, "base64");
  if (data.length === 0)
    throw new FunctionError("failed to decode input: cipher text must be base64-encoded", 0);
  try {
    const key = createPrivateKey(pem);
    return privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, data).toString("utf8");
  } catch (error) {
    throw new FunctionError(
      `failed to decrypt: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Those that need randomness get it from what is around. */
export function hashFunctions(ambient: Ambient): Readonly<Record<string, HclFunction>> {
  return {
    bcrypt: {
      params: [text("str")],
      rest: number("cost"),
      call: ([str, cost, ...more]) => {
        if (more.length > 0) throw new FunctionError("bcrypt() takes no more than two arguments");
        return bcryptHash(String(str), Number(cost ?? 10), ambient.randomBytes(16));
      },
    },
    md5: hashed("md5"),
    rsadecrypt: simple([text("ciphertext"), text("privatekey")], ([data, key]) =>
      decrypted(String(data), String(key)),
    ),
    sha1: hashed("sha1"),
    sha256: hashed("sha256"),
    sha512: hashed("sha512"),
    uuidv4: { params: [], call: () => uuid(ambient.randomBytes(16), 4) },
    uuidv5: simple([text("namespace"), text("name")], ([namespace, name]) =>
      uuidOfName(String(namespace), String(name)),
    ),
  };
}
