// The writer writes what the library's writer writes.
import fc from "fast-check";
import { expect, it } from "vitest";
import { pb } from "../proto/index.ts";
import { createOpWriter } from "./op-writer.ts";

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.string({ maxLength: 70 }));

it("equal messages have equal bytes", () => {
  const writer = createOpWriter();
  const op = fc.record({
    args: fc.array(text, { maxLength: 20 }),
    data: fc.uint8Array({ maxLength: 9000 }),
    mode: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    index: fc.maxSafeInteger(),
    timestamp: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    flag: fc.boolean(),
    attrs: fc.array(fc.tuple(text, text), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(op, ({ args, data, mode, index, timestamp, flag, attrs }) => {
      const messages = [
        pb.Op.create({ inputs: args.map((digest) => ({ digest, index })) }),
        pb.Op.create({
          op: { $case: "source", value: { identifier: args[0] ?? "", attrs: new Map(attrs) } },
        }),
        pb.Op.create({
          op: {
            $case: "file",
            value: {
              actions: [
                {
                  input: -1,
                  action: { $case: "mkfile", value: { path: "/x", data, mode, timestamp } },
                },
                {
                  action: { $case: "copy", value: { includePatterns: args, followSymlink: flag } },
                },
              ],
            },
          },
        }),
      ];
      for (const message of messages) {
        expect(pb.Op.encode(message, writer).finish()).toEqual(pb.Op.encode(message).finish());
      }
    }),
  );
});
