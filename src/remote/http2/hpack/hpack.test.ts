// Header blocks: the examples of RFC 7541, appendix C, and what is no header block.
import { Buffer } from "node:buffer";
import { expect, it } from "vitest";
import { errorCodes, type Fields } from "../protocol.ts";
import { HpackDecoder } from "./decoder.ts";
import { encodeFields } from "./encoder.ts";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const decoderOf = (listLimit = 4096, tableLimit?: number) =>
  new HpackDecoder(listLimit, tableLimit);

const first = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"];
const second = [...first, "cache-control", "no-cache"];
const third = [
  ...[
    ":method",
    "GET",
    ":scheme",
    "https",
    ":path",
    "/index.html",
    ":authority",
    "www.example.com",
  ],
  ...["custom-key", "custom-value"],
];

it.each([
  [
    "plain requests (C.3)",
    [
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
  ],
  [
    "coded requests (C.4)",
    [
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
  ],
])("reads %s", (_what, blocks) => {
  const decoder = decoderOf();
  expect(blocks.map((block) => decoder.decode(hex(block)))).toEqual([first, second, third]);
  expect(decoder.tableSize).toBe(164);
});

const responses: readonly Fields[] = [
  [
    ":status",
    "302",
    "cache-control",
    "private",
    "date",
    "Mon, 21 Oct 2013 20:13:21 GMT",
    "location",
    "https://www.example.com",
  ],
  [
    ":status",
    "307",
    "cache-control",
    "private",
    "date",
    "Mon, 21 Oct 2013 20:13:21 GMT",
    "location",
    "https://www.example.com",
  ],
  [
    ...[":status", "200", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:22 GMT"],
    ...["location", "https://www.example.com", "content-encoding", "gzip"],
    ...["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

it("reads responses that push each other out of a small table (C.6)", () => {
  const decoder = decoderOf(4096, 256);
  const blocks = [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ];
  expect(blocks.map((block) => decoder.decode(hex(block)))).toEqual(responses);
  expect(decoder.tableSize).toBe(215);
});

it("what is encoded is read again, numbers and all", () => {
  const fields = [
    ...[
      ":method",
      "POST",
      ":path",
      "/a.B/C",
      "x",
      "",
      "long",
      "v".repeat(70_000),
      "n".repeat(300),
      "\xff\x80",
    ],
    ...["authorization", "Bearer secret", "te", "trailers"],
  ];
  const block = encodeFields(fields);
  expect(decoderOf(1 << 20).decode(block)).toEqual(fields);
  // Number 3 of the static table, and number 23 in the form that nobody may put into a table.
  expect(block[0]).toBe(0x83);
  expect(Buffer.from(block).includes(Buffer.from([0x1f, 0x08]))).toBe(true);
});

it.each([
  ["a field that nobody has", "be"],
  ["field number 0", "80"],
  ["a number without end", "ffffffffffffffffffff"],
  ["a text that is cut off", "0005616263"],
  ["a field that is cut off", "4003"],
  ["a table larger than allowed", "3fe29f01"],
  ["a new table size after fields", "8220"],
  ["padding that is not all ones", "008161"],
  ["padding of a whole byte", "0085f2b24a84ff"],
  ["the end of the string within it", "0084ffffffff"],
])("%s is COMPRESSION_ERROR", (_what, block) => {
  let code: unknown;
  try {
    decoderOf().decode(hex(block));
  } catch (error) {
    ({ code } = error as { code: unknown });
  }
  expect(code).toBe(errorCodes.COMPRESSION_ERROR);
});

it("fields beyond the limit are dropped, and the table is kept as the sender has it", () => {
  const decoder = decoderOf(100);
  // One field of 60 bytes, and then its number a hundred times.
  const value = "61".repeat(26);
  const bomb = hex(`4001781a${value}${"be".repeat(100)}`);
  expect(decoder.decode(bomb)).toBeUndefined();
  expect(decoder.decode(hex("be"))).toEqual(["x", "a".repeat(26)]);
});
