// The authority of one build's proxy: it signs certificates in the name of every server that steps ask for.
import { Buffer } from "node:buffer";
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { bits, boolean, element, integer, octets, oid, sequence, set, time, utf8 } from "./der.ts";

/** Certificates that are kept, by host; what was asked for longest ago goes first. */
const maxKept = 1024;
/** Milliseconds that a build may take, more than enough, and that clocks may differ by. */
const lifetime = 7 * 24 * 3_600_000;
const tolerance = 3_600_000;
/** Of a host's name, in characters (RFC 1035). */
export const maxHostName = 253;

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));

/** Keys are in memory only, and gone with it. */
export class ProxyAuthority {
  /** For those who are to trust it. */
  readonly pem: string;
  readonly #now: () => Date;
  readonly #name: Uint8Array;
  readonly #keys: Keys = newKeys();
  /** One for all hosts: steps may ask for any number of them. */
  readonly #leafKeys: Keys = newKeys();
  readonly #contexts = new Map<string, SecureContext>();

  constructor(now: () => Date) {
    this.#now = now;
    this.#name = nameOf("Kiln build proxy");
    this.pem = this.#certificate(this.#name, this.#keys, [
      extension("2.5.29.19", true, sequence(boolean(true), integer(0))),
      extension("2.5.29.15", true, bits(Uint8Array.of(0b1000_0110), 7)),
    ]);
  }

  /** What a server of that name or address shows. Throws for names that are none. */
  contextFor(host: string): SecureContext {
    const known = this.#contexts.get(host);
    this.#contexts.delete(host);
    const context = known ?? this.#make(host);
    this.#contexts.set(host, context);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > maxKept && oldest !== undefined) this.#contexts.delete(oldest);
    return context;
  }

  #make(host: string): SecureContext {
    const cert = this.#certificate(nameOf("Kiln build proxy leaf"), this.#leafKeys, [
      extension("2.5.29.19", true, sequence()),
      extension("2.5.29.15", true, bits(Uint8Array.of(0b1000_0000), 1)),
      extension("2.5.29.37", false, sequence(oid("1.3.6.1.5.5.7.3.1"))),
      extension("2.5.29.17", false, sequence(alternativeName(host))),
    ]);
    // Nobody is asked for a certificate: without `ca` all of Node's would be loaded, each time.
    return createSecureContext({ cert, key: this.#leafKeys.pem, ca: [] });
  }

  /** RFC 5280, 4.1: signed by this authority. */
  #certificate(subject: Uint8Array, { spki, id }: Keys, extensions: readonly Uint8Array[]): string {
    const now = this.#now().getTime();
    const body = sequence(
      element(0xa0, integer(2)),
      integer(randomBytes(16)),
      ecdsaWithSha256,
      this.#name,
      sequence(time(new Date(now - tolerance)), time(new Date(now + lifetime))),
      subject,
      spki,
      element(
        0xa3,
        sequence(
          ...extensions,
          extension("2.5.29.14", false, octets(id)),
          extension("2.5.29.35", false, sequence(element(0x80, this.#keys.id))),
        ),
      ),
    );
    const signature = sign("sha256", body, this.#keys.privateKey);
    return pemOf(sequence(body, ecdsaWithSha256, bits(signature)));
  }
}

interface Keys {
  readonly privateKey: KeyObject;
  /** The same as text. */
  readonly pem: string;
  /** The public one, in DER. */
  readonly spki: Uint8Array;
  /** What certificates call it. */
  readonly id: Uint8Array;
}

function newKeys(): Keys {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { privateKey, pem, spki, id: keyId(spki) };
}

/** RFC 7468: lines of 64 characters. */
function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** With a common name alone. */
function nameOf(commonName: string): Uint8Array {
  return sequence(set(sequence(oid("2.5.4.3"), utf8(commonName))));
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

/** RFC 5280, 4.2.1.6. */
function alternativeName(host: string): Uint8Array {
  switch (isIP(host)) {
    case 4:
      return element(0x87, Uint8Array.from(host.split("."), Number));
    case 6:
      return element(0x87, sixteenBytes(host));
    default:
      if (host === "" || host.length > maxHostName || !/^[\x21-\x7e]+$/.test(host))
        throw new Error("the host has no name that a certificate could be for");
      return element(0x82, new TextEncoder().encode(host));
  }
}

function sixteenBytes(address: string): Uint8Array {
  // The URL parser writes all forms of an address in one: hexadecimal groups with at most one gap.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text = "") => text.split(":").filter(Boolean);
  const [first, last] = [groups(head), groups(tail)];
  const gap = tail === undefined ? [] : Array(8 - first.length - last.length).fill("0");
  const numbers = [...first, ...gap, ...last].map((group: string) => Number.parseInt(group, 16));
  return Uint8Array.from(numbers.flatMap((group) => [group >> 8, group & 255]));
}

function keyId(publicKey: Uint8Array): Uint8Array {
  return createHash("sha256").update(publicKey).digest().subarray(0, 20);
}
