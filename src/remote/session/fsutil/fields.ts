// Fields of protobuf messages, written and read by hand: for messages of which there is one for every file.
import { Buffer } from "node:buffer";
import { KilnError } from "../../../base/index.ts";

/** Bytes before a message, for what makes a field of it. */
const headRoom = 6;

/** What `decodeName` makes of bytes that are not UTF-8. */
const notText = /\p{Surrogate}/u;

/** Writes messages, each of them begun, filled and finished. Those that were finished are not touched again. */
export class Writer {
  readonly #shared: number;
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #at = 0;
  readonly #long = new DataView(new ArrayBuffer(8));

  /** Small messages are put next to each other in pieces of `shared` bytes, which live as long as any of them. */
  constructor(shared = 0) {
    this.#shared = shared;
  }

  /** The next message will have no more than `most` bytes. */
  begin(most: number): void {
    const size = most + headRoom;
    if (this.#buffer.length - this.#at < size) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(size, this.#shared));
      this.#at = 0;
    }
    this.#at += headRoom;
    this.#start = this.#at;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  /** A field that is left out when it is 0. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#buffer[this.#at++] = tag;
    this.varint(value);
  }

  bigint(tag: number, value: bigint): void {
    if (value === 0n) return;
    this.#buffer[this.#at++] = tag;
    this.#long.setBigInt64(0, value);
    let high = this.#long.getUint32(0);
    let low = this.#long.getUint32(4);
    while (high > 0 || low >= 0x80) {
      this.#buffer[this.#at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[this.#at++] = low;
  }

  bytes(tag: number, data: Uint8Array): void {
    this.#buffer[this.#at++] = tag;
    this.varint(data.length);
    this.#buffer.set(data, this.#at);
    this.#at += data.length;
  }

  /** False, and nothing is to be made of the message, where the text has no form in UTF-8. */
  text(tag: number, value: string): boolean {
    this.#buffer[this.#at++] = tag;
    if (value.length < 0x80 && this.#ascii(value)) return true;
    if (notText.test(value)) return false;
    this.varint(Buffer.byteLength(value));
    this.#at += this.#buffer.write(value, this.#at);
    return true;
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#at);
  }

  /** A message whose one field is what was written. */
  finishAsField(tag: number): Uint8Array {
    const end = this.#at;
    const length = end - this.#start;
    let lengthSize = 1;
    for (let rest = length; rest >= 0x80; rest >>>= 7) lengthSize++;
    const start = this.#start - lengthSize - 1;
    this.#buffer[start] = tag;
    this.#at = start + 1;
    this.varint(length);
    this.#at = end;
    return this.#buffer.subarray(start, end);
  }

  /** Most names are short and plain: asking the C++ side to write them would take longer. */
  #ascii(value: string): boolean {
    const { length } = value;
    const start = this.#at + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      this.#buffer[start + i] = code;
    }
    this.#buffer[this.#at] = length;
    this.#at = start + length;
    return true;
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Of the low 53 bits; what is larger is not used by anything here. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed("cut off");
      if (i < 7) value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) return value;
    }
    throw malformed("a number without end");
  }

  bigint(): bigint {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed("cut off");
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= bits << 31;
      if (byte < 0x80) return BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
    }
    throw malformed("a number without end");
  }

  /** A size: negative ones and those beyond 2^53 are refused. */
  size(): number {
    const value = this.bigint();
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
      throw malformed(`an impossible size ${value}`);
    return Number(value);
  }

  bytes(): Uint8Array {
    const length = this.varint();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed("cut off");
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }

  text(): string {
    return textOf(this.bytes());
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#at += 8;
        break;
      case 2:
        this.bytes();
        return;
      case 5:
        this.#at += 4;
        break;
      default:
        throw malformed(`a field of an unknown kind ${tag}`);
    }
    if (this.#at > this.#bytes.length) throw malformed("cut off");
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

export function malformed(why: string): KilnError {
  return new KilnError("REQUEST_INVALID", `malformed packet of files: ${why}`);
}
