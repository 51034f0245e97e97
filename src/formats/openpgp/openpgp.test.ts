import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readArmor } from "./armor.ts";
import { DetachedCheck, type DetachedOptions } from "./index.ts";

const golden = (name: string) => {
  const data = readFileSync(new URL(`golden/${name}`, import.meta.url));
  return name.endsWith(".base64")
    ? Uint8Array.from(atob(data.toString()), (one) => one.charCodeAt(0))
    : new Uint8Array(data);
};
const file = golden("data.txt");
const now = new Date("2025-06-01T00:00:00Z");

function check(
  signature: string,
  key: string,
  data: Uint8Array = file,
  options: DetachedOptions = { now },
): string {
  const { owner } = checkBytes(golden(signature), golden(key), data, options);
  return owner;
}

function checkBytes(
  signature: Uint8Array,
  key: Uint8Array,
  data: Uint8Array,
  options: DetachedOptions = { now },
) {
  const one = new DetachedCheck(signature, key, options);
  // In two parts, as files come.
  one.update(data.subarray(0, 7));
  one.update(data.subarray(7));
  return one.finish();
}

it.each([
  ["an RSA key", "rsa.sig.asc", "rsa.key.asc", "rsa"],
  ["an RSA key, over text", "rsa-text.sig.asc", "rsa.key.asc", "rsa"],
  ["a subkey of Ed25519", "ed.sig.asc", "ed.key.asc", "ed"],
  ["a subkey, with SHA-384", "ed-384.sig.asc", "ed.key.asc", "ed"],
  ["a key on P-256", "p256.sig.asc", "p256.key.asc", "p256"],
  ["a key on P-521", "p521.sig.asc", "p521.key.asc", "p521"],
  ["the first of two keys", "both.sig.asc", "rsa.key.asc", "rsa"],
  ["the second of two keys", "both.sig.asc", "ed.key.asc", "ed"],
  ["a binary key and signature", "rsa.sig.base64", "rsa.key.base64", "rsa"],
  ["a key that expired later", "expired.sig.asc", "expired.key.asc", "expired"],
])("holds by %s", (_, signature, key, name) => {
  expect(check(signature, key)).toBe(`${name} <${name}@example.com>`);
});

it.each([
  ["another key", "rsa.sig.asc", "ed.key.asc", /none of the given keys is that one/],
  ["a revoked key", "revoked.sig.asc", "revoked.key.asc", /has been revoked/],
  ["a short key", "short.sig.asc", "short.key.asc", /too short: 1024 bits/],
  ["DSA", "dsa.sig.asc", "dsa.key.asc", /no signature of a kind that is understood/],
  ["SHA-1", "rsa-sha1.sig.asc", "rsa.key.asc", /weak hash sha1/],
  [
    "the future",
    "rsa-future.sig.asc",
    "rsa.key.asc",
    /from the future, 2098|from the future, 2099/,
  ],
  ["an expired signature", "rsa-short-lived.sig.asc", "rsa.key.asc", /expired on 2025-0[56]-/],
  ["a key in the place of a signature", "rsa.key.asc", "rsa.key.asc", /stands where a SIGNATURE/],
  ["a signature in the place of a key", "rsa.sig.asc", "rsa.sig.asc", /stands where a PUBLIC KEY/],
  ["text", "data.txt", "rsa.key.asc", /there is no armored SIGNATURE/],
])("does not hold by %s", (_, signature, key, message) => {
  const late = { now: new Date("2025-07-01T00:00:00Z") };
  expect(() => check(signature, key, file, late)).toThrow(message);
});

it("does not hold for a changed, shortened or empty file, with any kind of key", () => {
  const changed = Uint8Array.from(file);
  changed[3] = (changed[3] ?? 0) ^ 1;
  for (const name of ["rsa", "ed", "p256", "p521", "expired"])
    for (const data of [changed, file.subarray(0, -1), new Uint8Array(0)])
      expect(() => check(`${name}.sig.asc`, `${name}.key.asc`, data)).toThrow("is for other bytes");
});

it("holds whatever ends the lines only where text was signed", () => {
  const dos = new TextEncoder().encode(new TextDecoder().decode(file).replaceAll("\n", "\r\n"));
  expect(check("rsa-text.sig.asc", "rsa.key.asc", dos)).toContain("rsa");
  expect(() => check("rsa.sig.asc", "rsa.key.asc", dos)).toThrow("is for other bytes");
});

it("does not hold by keys that have expired where that is asked for", () => {
  const options = { now, rejectExpired: true };
  expect(() => check("expired.sig.asc", "expired.key.asc", file, options)).toThrow(
    /key [0-9A-F]{40} expired on 202[45]-/,
  );
  expect(check("rsa.sig.asc", "rsa.key.asc", file, options)).toContain("rsa");
});

it("holds by a public key taken from a secret one", () => {
  const [primary = new Uint8Array(0)] = readArmor(golden("rsa.key.asc").reduce(asText, "")).map(
    ({ data }) => data,
  );
  // A secret key's packet is the public one's with more after it.
  const size = 256 * (primary[1] ?? 0) + (primary[2] ?? 0);
  const more = Uint8Array.of(0, 1, 2, 3);
  const longer = [(size + more.length) >> 8, (size + more.length) & 255];
  const secret = Uint8Array.of(
    ...[0x95, ...longer, ...primary.subarray(3, 3 + size), ...more],
    ...primary.subarray(3 + size),
  );
  expect(checkBytes(golden("rsa.sig.asc"), secret, file).owner).toContain("rsa");
});

function asText(text: string, byte: number): string {
  return text + String.fromCharCode(byte);
}
