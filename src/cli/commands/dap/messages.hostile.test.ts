import { expect, test } from "vitest";
import { frameMessage, readRequests } from "./messages.ts";

async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield typeof part === "string" ? new TextEncoder().encode(part) : part;
}

async function read(...parts: readonly (string | Uint8Array)[]) {
  const found: string[] = [];
  for await (const { command } of readRequests(chunks(...parts))) found.push(command);
  return found;
}

const request = (seq: number, command: string) => frameMessage({ seq, type: "request", command });

test("messages are found however they are cut", async () => {
  const all = [...request(1, "initialize"), ...request(2, "lächeln")];
  const bytes = all.map((byte) => Uint8Array.of(byte));
  expect(await read(...bytes)).toEqual(["initialize", "lächeln"]);
  expect(await read(Uint8Array.from(all))).toEqual(["initialize", "lächeln"]);
});

test("what is no request is passed over, and half a message is none", async () => {
  const event = frameMessage({ seq: 1, type: "event", event: "x" });
  expect(
    await read(event, frameMessage([]), request(3, "next"), "Content-Length: 5\r\n\r\n{"),
  ).toEqual(["next"]);
});

test.each([
  ["no length", "X: 1\r\n\r\n{}"],
  ["a negative length", "Content-Length: -1\r\n\r\n{}"],
  ["a length beyond all numbers", `Content-Length: ${"9".repeat(40)}\r\n\r\n`],
  ["a large length", "Content-Length: 99999999999\r\n\r\n"],
  ["a header without end", "X".repeat(20_000)],
  ["no JSON", "Content-Length: 2\r\n\r\n{x"],
  ["no command", 'Content-Length: 26\r\n\r\n{"type":"request","seq":1}'],
])("%s is refused", async (_what, text) => {
  await expect(read(text)).rejects.toThrow(/the debug adapter was sent/);
});
