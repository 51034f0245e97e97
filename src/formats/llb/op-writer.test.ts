// The writer writes what the library's writer writes.
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { expect, it } from "vitest";
import { OpWriter } from "./op-writer.ts";

type Field =
  | { readonly kind: "text"; readonly field: number; readonly value: string }
  | { readonly kind: "bytes"; readonly field: number; readonly value: Uint8Array }
  | { readonly kind: "number"; readonly field: number; readonly value: number | bigint }
  | { readonly kind: "flag"; readonly field: number; readonly value: boolean }
  | { readonly kind: "message"; readonly field: number; readonly value: readonly Field[] };

const field = fc.integer({ min: 1, max: 5000 });
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.string({ minLength: 1000, maxLength: 1100 }),
);
const number = fc.oneof(
  fc.constantFrom(0, -1, 127, 128, 2 ** 32 - 1, 2 ** 32),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const { message } = fc.letrec<{ message: Field[]; one: Field }>((tie) => ({
  message: fc.array(tie("one"), { maxLength: 6 }),
  one: fc.oneof(
    { depthSize: "small" },
    fc.record({ kind: fc.constant("text"), field, value: text }),
    fc.record({ kind: fc.constant("bytes"), field, value: fc.uint8Array({ maxLength: 9000 }) }),
    fc.record({ kind: fc.constant("number"), field, value: number }),
    fc.record({ kind: fc.constant("flag"), field, value: fc.boolean() }),
    fc.record({ kind: fc.constant("message"), field, value: tie("message") }),
  ) as fc.Arbitrary<Field>,
}));

function write(to: OpWriter, fields: readonly Field[]): void {
  for (const one of fields) {
    if (one.kind === "text") to.text(one.field, one.value);
    else if (one.kind === "bytes") to.bytes(one.field, one.value);
    else if (one.kind === "number") to.number(one.field, one.value);
    else if (one.kind === "flag") to.flag(one.field, one.value);
    else {
      to.begin(one.field);
      write(to, one.value);
      to.end();
    }
  }
}

function writeByLibrary(to: BinaryWriter, fields: readonly Field[]): BinaryWriter {
  for (const one of fields) {
    if (one.kind === "message")
      writeByLibrary(to.uint32((one.field << 3) | 2).fork(), one.value).join();
    else if (one.kind === "text" && one.value !== "")
      to.uint32((one.field << 3) | 2).string(one.value);
    else if (one.kind === "bytes" && one.value.length > 0)
      to.uint32((one.field << 3) | 2).bytes(one.value);
    else if (one.kind === "number" && one.value !== 0 && one.value !== 0n)
      to.uint32(one.field << 3).int64(one.value);
    else if (one.kind === "flag" && one.value) to.uint32(one.field << 3).bool(true);
  }
  return to;
}

it("equal messages have equal bytes, also when many share memory", () => {
  const writer = new OpWriter();
  const taken: { readonly bytes: Uint8Array; readonly copy: Uint8Array }[] = [];
  fc.assert(
    fc.property(message, (fields) => {
      write(writer, fields);
      const bytes = writer.take();
      expect(bytes).toEqual(writeByLibrary(new BinaryWriter(), fields).finish());
      taken.push({ bytes, copy: bytes.slice() });
    }),
  );
  for (const { bytes, copy } of taken) expect(bytes).toEqual(copy);
});

it("numbers that repeat are packed; the chosen one of several is written even as 0", () => {
  const writer = new OpWriter();
  writer.numbers(12, []);
  writer.numbers(12, [0, 1, 300]);
  writer.texts(2, ["", "a"]);
  writer.chosenNumber(2, 0);
  expect([...writer.take()]).toEqual([98, 4, 0, 1, 172, 2, 18, 0, 18, 1, 97, 16, 0]);
});

it("a message that ends must have begun", () => {
  expect(() => new OpWriter().end()).toThrow("a message ends that did not begin");
});
