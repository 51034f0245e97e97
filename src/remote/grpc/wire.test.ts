// The stream below a connection: what was said is heard, and an end is an end.
import { connect, createServer, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { openChannel } from "./index.ts";
import { openWire } from "./wire.ts";

const opened: Duplex[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.destroy();
});

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect(port, "127.0.0.1");
  const pair: [Socket, Socket] = [client, await accepted];
  server.close();
  opened.push(...pair);
  return pair;
}

async function contentOf(stream: Duplex): Promise<number> {
  let size = 0;
  for await (const chunk of stream) size += chunk.length;
  return size;
}

const large = 3 << 20;

it.each([
  ["a socket", socketPair],
  ["another stream", async () => duplexPair() as unknown as [Duplex, Duplex]],
])("what was written before the end arrives through %s", async (_what, pairOf) => {
  const [near, far] = await pairOf();
  const wire = openWire(near);
  wire.write(new Uint8Array(large));
  wire.cork();
  for (let at = 0; at < 100; at++) wire.write(new Uint8Array(at * 1000).fill(at));
  wire.uncork();
  const taken = contentOf(far);
  wire.end();
  expect(await taken).toBe(large + 4950 * 1000);
});

it("bytes arrive in their order, in blocks that are used again", async () => {
  const [near, far] = await socketPair();
  const wire = openWire(near);
  const sent = 20 << 20;
  let seen = 0;
  let wrong = 0;
  const taken = (async () => {
    for await (const chunk of far as AsyncIterable<Uint8Array>)
      for (const byte of chunk) if (byte !== seen++ % 251) wrong++;
  })();
  for (let at = 0; at < sent; ) {
    wire.cork();
    for (let part = 0; part < 20 && at < sent; part++) {
      const size = Math.min(1 + ((at * 7919) % 50_000), sent - at);
      wire.write(Uint8Array.from({ length: size }, (_, i) => (at + i) % 251));
      at += size;
    }
    wire.uncork();
    if (wire.writableNeedDrain) await new Promise((done) => wire.once("drain", done));
  }
  wire.end();
  await taken;
  expect([seen, wrong]).toEqual([sent, 0]);
});

it("what came before the other side's end is read", async () => {
  const [near, far] = await socketPair();
  const wire = openWire(near);
  far.end(new Uint8Array(large));
  await new Promise((done) => setTimeout(done, 100));
  expect(await contentOf(wire)).toBe(large);
});

it("a failure of the socket is the wire's", async () => {
  const [near] = await socketPair();
  const wire = openWire(near);
  const failed = new Promise((done) => wire.once("error", done));
  near.destroy(new Error("cable cut"));
  expect(await failed).toMatchObject({ message: "cable cut" });
});

it("a connection whose other side does not read is closed all the same", async () => {
  const [near, far] = await socketPair();
  far.pause();
  const channel = openChannel(near);
  for (let at = 0; at < 50; at++) {
    // Nobody answers; it only fills what lies between.
    near.write(new Uint8Array(1 << 20));
  }
  const begun = performance.now();
  await channel[Symbol.asyncDispose]();
  expect(performance.now() - begun).toBeLessThan(10_000);
  await expect.poll(() => near.destroyed, { timeout: 5000 }).toBe(true);
});
