// Both sides of a connection write heavily at once: nobody waits for the other for ever, and memory stays bounded.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, it } from "vitest";
import { socketPair } from "../../../test/kit/socket-pair.ts";
import { uncancelled } from "../../base/index.ts";
import {
  bind,
  createClient,
  createGrpcServer,
  type MessageType,
  openChannel,
  openTunnel,
  rawMessage,
  tunnel,
} from "./index.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const raw: MessageType<Uint8Array> = rawMessage;
const definition = {
  name: "Flood",
  fullName: "test.Flood",
  methods: {
    flood: {
      name: "Flood",
      requestType: raw,
      requestStream: true,
      responseType: raw,
      responseStream: true,
    },
    through: {
      name: "Through",
      requestType: raw,
      requestStream: true,
      responseType: raw,
      responseStream: true,
    },
  },
} as const;

const owned: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of owned.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const piece = new Uint8Array(1 << 20).fill(7);
async function* pieces(count: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < count; at++) yield piece;
}

async function sizeOf(messages: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const message of messages) size += message.length;
  return size;
}

async function* dataOf(messages: AsyncIterable<Uint8Array>): AsyncIterable<{ data: Uint8Array }> {
  for await (const data of messages) yield { data };
}
async function* bytesOf(messages: AsyncIterable<{ data: Uint8Array }>): AsyncIterable<Uint8Array> {
  for await (const { data } of messages) yield data;
}

/** Sends while it is sent to; `received` is what came from clients in all. */
function floodServer(perCall: number) {
  const counts = { received: 0 };
  const server = createGrpcServer([
    bind(definition, {
      async *flood(requests) {
        const taken = sizeOf(requests);
        yield* pieces(perCall);
        const size = await taken;
        counts.received += size;
      },
      async *through(requests) {
        const end = tunnel(dataOf(requests));
        void server.accept(end.socket);
        yield* bytesOf(end.outgoing);
      },
    }),
  ]);
  owned.push(server);
  return { server, counts };
}

/** Bytes of all buffers at most: a window of 8 MiB a connection and side, and what is on its way within this process. */
const memoryLimit = 150 << 20;

async function bothWays(depth: number): Promise<void> {
  const calls = 4;
  const perCall = 50;
  const { server, counts } = floodServer(perCall);
  const [near, far] = await socketPair();
  void server.accept(far);
  let channel = openChannel(near);
  owned.push(channel);
  for (let level = 0; level < depth; level++) {
    const outer = createClient(definition, channel);
    const socket = openTunnel((outgoing) => dataOf(outer.through(bytesOf(outgoing), uncancelled)));
    channel = openChannel(socket);
    owned.push(channel);
  }
  const client = createClient(definition, channel);
  let most = 0;
  const sampling = setInterval(() => {
    // The second waits for what the first sweeps.
    collectGarbage();
    collectGarbage();
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }, 1000);
  owned.push({ [Symbol.asyncDispose]: async () => clearInterval(sampling) });
  const answered = await Promise.all(
    Array.from({ length: calls }, () => sizeOf(client.flood(pieces(perCall), uncancelled))),
  );
  const total = calls * perCall * piece.length;
  expect(answered.reduce((sum, size) => sum + size, 0)).toBe(total);
  expect(counts.received).toBe(total);
  expect(most).toBeLessThan(memoryLimit);
}

it.each([
  ["over one connection", 0],
  ["through a tunnel", 1],
  ["through a tunnel in a tunnel", 2],
])("both sides send 200 MB at once %s", { timeout: 60_000 }, async (_where, depth) => {
  await bothWays(depth);
});
