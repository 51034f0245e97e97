// Contents of messages of bytes, as they come: cut anywhere, and broken.
import { expect, it } from "vitest";
import { BytesPieces } from "./bytes-pieces.ts";
import { messagePrefix } from "./framing.ts";
import { GatheredBytes, partsOf } from "./messages.ts";
import { statusCodes } from "./status.ts";

/** As it travels: the prefix and the encoded message. */
function framed(...message: readonly number[]): number[] {
  return [...messagePrefix(message.length), ...message];
}

const long = new Uint8Array(300).fill(7);
const gathered = partsOf(undefined, new GatheredBytes([long, Uint8Array.of(8)])).parts.flatMap(
  (part) => [...part],
);
const stream = Uint8Array.from([
  ...framed(0x0a, 3, 1, 2, 3),
  ...framed(),
  // A field that is not the content, and one that is, twice.
  ...framed(0x12, 2, 9, 9, 0x0a, 1, 4, 0x0a, 0, 0x0a, 1, 5),
  ...framed(...gathered),
]);

it.each([stream.length, 1, 2, 3, 5, 11])("contents are given out, %s bytes at a time", (size) => {
  const pieces = new BytesPieces(1000);
  const found: number[] = [];
  for (let at = 0; at < stream.length; at += size) {
    pieces.push(stream.subarray(at, at + size));
    for (let next = pieces.next(); next; next = pieces.next()) found.push(...next);
  }
  expect(found).toEqual([1, 2, 3, 4, 5, ...long, 8]);
  expect(pieces.waiting).toBe(0);
  pieces.checkEnd();
});

it("contents are given out before their message is whole, without a copy", () => {
  const pieces = new BytesPieces(1000);
  const chunk = Uint8Array.from(framed(0x0a, 100, ...new Array<number>(100).fill(1))).subarray(
    0,
    20,
  );
  pieces.push(chunk);
  const piece = pieces.next();
  expect([piece?.length, piece?.buffer]).toEqual([13, chunk.buffer]);
  expect(() => pieces.checkEnd()).toThrow("inside a message");
});

it.each<[string, readonly number[], number]>([
  ["a message over the limit", [0, 0, 0, 4, 0], statusCodes.RESOURCE_EXHAUSTED],
  ["unknown flags", [7, 0, 0, 0, 1], statusCodes.INTERNAL],
  ["a compressed message", [1, 0, 0, 0, 1], statusCodes.UNIMPLEMENTED],
  ["a field beyond its message", framed(0x0a, 9, 1), statusCodes.INTERNAL],
  ["a field of another kind", framed(0x08, 1), statusCodes.INTERNAL],
  ["a number without end", framed(...new Array<number>(12).fill(0xff)), statusCodes.INTERNAL],
  ["a field without a length", framed(0x0a), statusCodes.INTERNAL],
])("%s is refused", (_what, bytes, code) => {
  const pieces = new BytesPieces(1000);
  pieces.push(Uint8Array.from(bytes));
  let found: unknown;
  try {
    pieces.next();
  } catch (error) {
    ({ code: found } = error as { code: unknown });
  }
  expect(found).toBe(code);
});
