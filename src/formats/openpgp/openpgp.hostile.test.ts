import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { KilnError } from "../../base/index.ts";
import { readArmor } from "./armor.ts";
import { DetachedCheck } from "./index.ts";

const golden = (name: string) =>
  new Uint8Array(readFileSync(new URL(`golden/${name}`, import.meta.url)));
const binary = (name: string) =>
  readArmor(new TextDecoder().decode(golden(name)))[0]?.data ?? new Uint8Array(0);
const file = golden("data.txt");
const now = new Date("2025-06-01T00:00:00Z");

/** What is thrown must be a refusal, not a mistake of the reader's. */
function holds(signature: Uint8Array, key: Uint8Array, data: Uint8Array = file): boolean {
  try {
    const check = new DetachedCheck(signature, key, { now });
    check.update(data);
    check.finish();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(KilnError);
    expect((error as KilnError).code).toBe("SIGNATURE_INVALID");
    return false;
  }
}

it.each(["rsa", "ed", "p256"])("no bit of what a %s key signed may be another", (name) => {
  const key = golden(`${name}.key.asc`);
  const signature = binary(`${name}.sig.asc`);
  expect(holds(signature, key)).toBe(true);
  // The left two bytes of the hash and the unhashed part are nobody's promise; no others may change.
  const free: number[] = [];
  for (let at = 0; at < signature.length; at++) {
    const changed = Uint8Array.from(signature);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    if (holds(changed, key)) free.push(at);
  }
  const hashed =
    6 + (signature[0] === 0x89 ? 3 : 2) + ((signature.at(name === "rsa" ? 8 : 7) ?? 0) & 255);
  expect(free.length).toBeLessThanOrEqual(18);
  expect(Math.min(...free)).toBeGreaterThanOrEqual(hashed);
});

it.each(["rsa", "ed", "p256"])(
  "a %s key with any other byte is refused or not the signer's",
  (name) => {
    const signature = golden(`${name}.sig.asc`);
    const key = binary(`${name}.key.asc`);
    // The key itself: every byte of it is in the fingerprint.
    for (let at = 3; at < 40; at++) {
      const changed = Uint8Array.from(key);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(holds(signature, changed)).toBe(false);
    }
  },
);

it("cut at any length, keys and signatures are refused", () => {
  const signature = binary("ed.sig.asc");
  const key = binary("ed.key.asc");
  for (let size = 0; size < signature.length; size++)
    expect(holds(signature.subarray(0, size), key)).toBe(false);
  for (let size = 0; size < key.length; size += 3) holds(signature, key.subarray(0, size));
});

it("a subkey without its owner's word, or its own, signs for nobody", () => {
  const rsa = binary("rsa.key.asc");
  const ed = binary("ed.key.asc");
  // The subkey's packets, put after somebody else's primary key.
  let at = ed.length;
  for (let start = 1; start < ed.length; start++)
    if (ed[start] === 0xb8 && ed[start + 2] === 4) at = Math.min(at, start);
  expect(at).toBeLessThan(ed.length);
  const stolen = Uint8Array.of(...rsa, ...ed.subarray(at));
  expect(holds(golden("ed.sig.asc"), stolen)).toBe(false);
  expect(holds(golden("rsa.sig.asc"), stolen)).toBe(true);
});

it("a primary key that vouches for nobody signs for nobody", () => {
  const key = binary("p256.key.asc");
  const body = 2 + (key[1] ?? 0);
  expect(holds(golden("p256.sig.asc"), key.subarray(0, body))).toBe(false);
  expect(holds(golden("p256.sig.asc"), key)).toBe(true);
});

it("noise is refused in bounded time", () => {
  let state = 7;
  for (let round = 0; round < 300; round++) {
    const noise = Uint8Array.from({ length: round * 7 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 24;
    });
    if (noise.length > 0) noise[0] = 0x80 | (noise[0] ?? 0);
    expect(holds(noise, golden("rsa.key.asc"))).toBe(false);
    expect(holds(golden("rsa.sig.asc"), noise)).toBe(false);
  }
  expect(holds(new Uint8Array(5 * 1024 * 1024).fill(0x88), golden("rsa.key.asc"))).toBe(false);
});
