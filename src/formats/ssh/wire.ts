// The data types of the SSH protocol (RFC 4251, section 5), as far as agents and keys need them.
import { KilnError } from "../../base/index.ts";

/** Reads values one after another; every method throws `SSH_FAILED` when the data ends too early. */
export class SshReader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#data.length;
  }

  byte(): number {
    return this.#take(1)[0] ?? 0;
  }

  number(): number {
    const bytes = this.#take(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  }

  /** Bytes with their length before them; also how whole numbers of any size are written. */
  bytes(): Uint8Array {
    return this.#take(this.number());
  }

  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  #take(length: number): Uint8Array {
    if (length > this.#data.length - this.#at)
      throw new KilnError("SSH_FAILED", "SSH data ends too early");
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }
}

export function sshByte(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function sshNumber(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

/** Bytes or text with their length before them. */
export function sshString(value: Uint8Array | string): Uint8Array {
  const data = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return sshJoin([sshNumber(data.length), data]);
}

/** A positive whole number of any size: no zeros in front, but one where the first bit is set. */
export function sshInteger(value: Uint8Array): Uint8Array {
  let start = 0;
  while (start < value.length && value[start] === 0) start++;
  const digits = value.subarray(start);
  const signed = (digits[0] ?? 0) >= 0x80 ? sshJoin([Uint8Array.of(0), digits]) : digits;
  return sshString(signed);
}

export function sshJoin(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
