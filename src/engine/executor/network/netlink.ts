// Netlink: messages to the kernel's network configuration, written byte by byte, and their acknowledgements.
import { closeSync } from "node:fs";
import { endianness } from "node:os";
import { socketCalls, systemError } from "./socket-calls.ts";

const little = endianness() === "LE";
const headerSize = 16;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLA_F_NESTED = 0x8000;

/** One request; `flags` beside the usual ones. Of a batch, only what is wrapped in `quiet` is not acknowledged. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags?: number;
  readonly body: Uint8Array;
  readonly quiet?: boolean;
}

/** A connection to one part of the kernel, in the network namespace that it was opened in. */
export interface Netlink extends Disposable {
  /** Sends the messages as one, and throws the first error that the kernel answers. */
  request(messages: readonly NetlinkMessage[]): void;
}

/** netlink(7) protocol numbers. */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** Opens a connection in the calling thread's namespace. */
export function openNetlink(protocol: number): Netlink {
  const calls = socketCalls();
  const socket = calls.netlink(protocol);
  let sequence = 0;
  return {
    request(messages) {
      const wanted = new Set<number>();
      const parts = messages.map((message) => {
        sequence++;
        if (!message.quiet) wanted.add(sequence);
        return encode(message, sequence);
      });
      calls.send(socket, concat(parts));
      let failure: Error | undefined;
      // An error of a batch as a whole comes under the number of its first message, and then nothing else comes.
      while (wanted.size > 0) {
        for (const { sequence: at, errno } of answers(calls.receive(socket))) {
          if (errno !== 0) failure ??= systemError(errno, "netlink");
          if (!wanted.delete(at) && errno !== 0) wanted.clear();
        }
        if (failure !== undefined) break;
      }
      if (failure !== undefined) throw failure;
    },
    [Symbol.dispose]: () => closeSync(socket),
  };
}

function encode({ type, flags = 0, body, quiet }: NetlinkMessage, sequence: number): Uint8Array {
  const length = headerSize + body.length;
  const ack = quiet ? 0 : NLM_F_ACK;
  const header = [u32(length), u16(type), u16(NLM_F_REQUEST | ack | flags), u32(sequence), u32(0)];
  return padded(concat([...header, body]));
}

function* answers(data: Uint8Array): Generator<{ sequence: number; errno: number }> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at + headerSize + 4 <= data.length; ) {
    const length = view.getUint32(at, little);
    if (length < headerSize) return;
    if (view.getUint16(at + 4, little) === NLMSG_ERROR) {
      const errno = -view.getInt32(at + headerSize, little);
      yield { sequence: view.getUint32(at + 8, little), errno };
    }
    at += (length + 3) & ~3;
  }
}

/** One attribute; a list of attributes makes a nested one. */
export function attribute(type: number, value: Uint8Array | readonly Uint8Array[]): Uint8Array {
  const nested = !(value instanceof Uint8Array);
  const data = nested ? concat(value) : value;
  return padded(concat([u16(4 + data.length), u16(nested ? type | NLA_F_NESTED : type), data]));
}

/** Bytes one after another. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A number in the machine's byte order. */
export function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

/** A number in the machine's byte order. */
export function u16(value: number): Uint8Array {
  return new Uint8Array(new Uint16Array([value]).buffer);
}

/** A number in network byte order. */
export function be32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

/** Text with the NUL that the kernel's names end with. */
export function cstring(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** The four bytes of an address such as 10.0.0.1. */
export function ipv4(text: string): Uint8Array {
  return Uint8Array.from(text.split(".").map(Number));
}

function padded(data: Uint8Array): Uint8Array {
  const out = new Uint8Array((data.length + 3) & ~3);
  out.set(data);
  return out;
}
