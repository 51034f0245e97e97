// OpenPGP packets (RFC 9580, section 4) and the numbers that they are made of.
import { openPgpInvalid } from "./failure.ts";

export interface Packet {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Packet types, as far as keys and signatures have them. */
export const tags = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
} as const;

/** A key ring with more packets is not read. */
const maxPackets = 20_000;

/** Reads bytes one after another; every method throws `SIGNATURE_INVALID` when they end too early. */
export class ByteReader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get offset(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#data.length;
  }

  take(length: number): Uint8Array {
    if (length > this.#data.length - this.#at) throw openPgpInvalid("the data ends too early");
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }

  rest(): Uint8Array {
    return this.take(this.#data.length - this.#at);
  }

  /** A whole number of `bytes` bytes, at most four. */
  number(bytes: 1 | 2 | 4): number {
    return this.take(bytes).reduce((sum, byte) => sum * 256 + byte, 0);
  }

  /** A multiprecision integer (section 3.2), without zeros in front. */
  integer(): Uint8Array {
    const bits = this.number(2);
    const bytes = this.take(Math.ceil(bits / 8));
    const first = bytes.findIndex((byte) => byte !== 0);
    return first === -1 ? new Uint8Array(0) : bytes.subarray(first);
  }
}

/** Packets in order. Throws `SIGNATURE_INVALID`, also for bodies in parts, which keys and signatures never have. */
export function readPackets(data: Uint8Array): readonly Packet[] {
  const reader = new ByteReader(data);
  const packets: Packet[] = [];
  while (!reader.isAtEnd) {
    if (packets.length === maxPackets) throw openPgpInvalid(`more than ${maxPackets} packets`);
    const first = reader.number(1);
    if (first < 0x80) throw openPgpInvalid("a packet does not begin as packets do");
    const isNew = (first & 0x40) !== 0;
    const tag = isNew ? first & 0x3f : (first >> 2) & 0x0f;
    const length = isNew ? newLength(reader) : oldLength(reader, first & 3);
    packets.push({ tag, body: reader.take(length) });
  }
  return packets;
}

function newLength(reader: ByteReader): number {
  const first = reader.number(1);
  if (first >= 224 && first < 255) throw openPgpInvalid("a packet comes in parts");
  return lengthAfter(first, reader);
}

/** How packets of the new form and subpackets say how long they are. */
export function lengthAfter(first: number, reader: ByteReader): number {
  if (first < 192) return first;
  if (first < 255) return (first - 192) * 256 + reader.number(1) + 192;
  return reader.number(4);
}

function oldLength(reader: ByteReader, type: number): number {
  switch (type) {
    case 0:
      return reader.number(1);
    case 1:
      return reader.number(2);
    case 2:
      return reader.number(4);
    default:
      throw openPgpInvalid("a packet does not say how long it is");
  }
}
