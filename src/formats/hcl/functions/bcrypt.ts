// bcrypt (Provos and Mazières, 1999): hashes of passwords by Blowfish with an expensive key schedule.
import { Buffer } from "node:buffer";
import { FunctionError } from "../function.ts";

const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const rounds = 16;
const boxWords = 1024;
const initialWords = rounds + 2 + boxWords;
/** Beyond this one hash takes minutes. */
const maxCost = 15;

/** `$2a$COST$…` of a password of at most 72 bytes; `salt` is 16 bytes. */
export function bcryptHash(password: string, cost: number, salt: Uint8Array): string {
  const secret = Buffer.from(password);
  if (secret.length > 72) throw new FunctionError("bcrypt: password length exceeds 72 bytes", 0);
  if (!Number.isInteger(cost) || cost > maxCost || cost < 4)
    throw new FunctionError(`cost must be a whole number between 4 and ${maxCost}`, 1);
  const key = keyWords(Buffer.concat([secret, Buffer.of(0)]), rounds + 2);
  const state = new Blowfish();
  const salted = keyWords(salt, 4);
  state.expand(key, salted);
  const saltKey = keyWords(salt, rounds + 2);
  const nothing = new Int32Array(4);
  for (let turn = 0; turn < 2 ** cost; turn++) {
    state.expand(key, nothing);
    state.expand(saltKey, nothing);
  }
  const text = Buffer.from("OrpheanBeholderScryDoubt");
  const words = Int32Array.from({ length: 6 }, (_, at) => text.readInt32BE(at * 4));
  for (let turn = 0; turn < 64; turn++) for (let at = 0; at < 6; at += 2) state.encrypt(words, at);
  const digest = Buffer.alloc(24);
  words.forEach((word, at) => void digest.writeInt32BE(word, at * 4));
  const head = `$2a$${String(cost).padStart(2, "0")}$`;
  return head + encode(salt) + encode(digest.subarray(0, 23));
}

/** Bytes over and over as 32-bit words. */
function keyWords(bytes: Uint8Array, count: number): Int32Array {
  let at = 0;
  const word = () => {
    let value = 0;
    for (let byte = 0; byte < 4; byte++) value = (value << 8) | (bytes[at++ % bytes.length] ?? 0);
    return value;
  };
  return Int32Array.from({ length: count }, word);
}

function encode(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const group = (a << 16) | (b << 8) | c;
    const chars = [18, 12, 6, 0].map((shift) => alphabet[(group >> shift) & 63] ?? "");
    text += chars.slice(0, Math.min(4, bytes.length - at + 1)).join("");
  }
  return text;
}

class Blowfish {
  readonly #subkeys: Int32Array;
  readonly #boxes: Int32Array;

  constructor() {
    const words = initialState();
    this.#subkeys = words.slice(0, rounds + 2);
    this.#boxes = words.slice(rounds + 2);
  }

  /** Mixes the key into the subkeys, then fills everything anew, with salt mixed in on the way. */
  expand(key: Int32Array, salt: Int32Array): void {
    const subkeys = this.#subkeys;
    for (let at = 0; at < subkeys.length; at++) subkeys[at] = (subkeys[at] ?? 0) ^ (key[at] ?? 0);
    const block = new Int32Array(2);
    let turn = 0;
    for (const target of [subkeys, this.#boxes]) {
      for (let at = 0; at < target.length; at += 2) {
        block[0] = (block[0] ?? 0) ^ (salt[turn & 3] ?? 0);
        block[1] = (block[1] ?? 0) ^ (salt[(turn + 1) & 3] ?? 0);
        turn += 2;
        this.encrypt(block, 0);
        target[at] = block[0] ?? 0;
        target[at + 1] = block[1] ?? 0;
      }
    }
  }

  /** Two words in place. */
  encrypt(words: Int32Array, at: number): void {
    const keys = this.#subkeys;
    const boxes = this.#boxes;
    let left = (words[at] ?? 0) ^ (keys[0] ?? 0);
    let right = words[at + 1] ?? 0;
    for (let round = 1; round <= rounds; round++) {
      const mixed =
        ((((boxes[left >>> 24] ?? 0) + (boxes[256 + ((left >>> 16) & 255)] ?? 0)) ^
          (boxes[512 + ((left >>> 8) & 255)] ?? 0)) +
          (boxes[768 + (left & 255)] ?? 0)) |
        0;
      right ^= mixed ^ (keys[round] ?? 0);
      [left, right] = [right, left];
    }
    words[at] = right ^ (keys[rounds + 1] ?? 0);
    words[at + 1] = left;
  }
}

let initial: Int32Array | undefined;

/** Blowfish begins with the digits of pi's fraction in base 2^32. */
function initialState(): Int32Array {
  initial ??= piWords(initialWords);
  return initial.slice();
}

/** By Machin's formula, in whole numbers with some bits to spare. */
function piWords(count: number): Int32Array {
  const bits = BigInt(count * 32 + 64);
  const one = 1n << bits;
  const arctan = (inverse: bigint) => {
    let power = one / inverse;
    let sum = power;
    const square = inverse * inverse;
    for (let odd = 3n, sign = -1n; power > 0n; odd += 2n, sign = -sign) {
      power /= square;
      sum += (sign * power) / odd;
    }
    return sum;
  };
  const pi = 4n * (4n * arctan(5n) - arctan(239n));
  const fraction = (pi - 3n * one) >> 64n;
  const hex = fraction.toString(16).padStart(count * 8, "0");
  return Int32Array.from({ length: count }, (_, at) =>
    Number.parseInt(hex.slice(at * 8, at * 8 + 8), 16),
  );
}
