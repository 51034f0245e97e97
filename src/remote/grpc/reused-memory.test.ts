// Memory of parts that are sent may be used again when the socket has taken them, and not before.
import { setTimeout } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { socketPair } from "../../../test/kit/socket-pair.ts";
import { uncancelled } from "../../base/index.ts";
import {
  bind,
  type Channel,
  createClient,
  createGrpcServer,
  MessageParts,
  openChannel,
  openTunnel,
  rawBatch,
  streamedBytes,
  tunnel,
} from "./index.ts";

const definition = {
  name: "Reuse",
  fullName: "test.Reuse",
  methods: {
    files: {
      name: "Files",
      requestType: rawBatch,
      requestStream: true,
      responseType: rawBatch,
      responseStream: true,
    },
    through: {
      name: "Through",
      requestType: streamedBytes,
      requestStream: true,
      responseType: streamedBytes,
      responseStream: true,
    },
  },
} as const;

const owned: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of owned.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const count = 60;
const size = 300_000;

/** As many messages, each filled with its number, out of no more than three buffers. */
async function* fromThreeBuffers(): AsyncIterable<readonly MessageParts[]> {
  const free = [0, 1, 2].map(() => new Uint8Array(size));
  let wake = () => {};
  for (let at = 0; at < count; at++) {
    while (free.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    const buffer = free.pop() ?? new Uint8Array();
    buffer.fill(at);
    const sent = () => {
      free.push(buffer);
      wake();
    };
    yield [new MessageParts([Uint8Array.of(at), buffer], sent)];
  }
}

it.each([
  ["a connection", 0],
  ["a tunnel", 1],
  ["a tunnel in a tunnel", 2],
])(
  "what is sent over %s arrives as it was, though its memory is used again",
  async (_over, depth) => {
    const wrong: number[] = [];
    let came = 0;
    const server = createGrpcServer([
      bind(definition, {
        async *files(requests) {
          yield [];
          for await (const batch of requests) {
            for (const message of batch) {
              if (message.length !== size + 1 || message.some((byte) => byte !== came))
                wrong.push(came);
              came++;
            }
            // A slow reader: everything between the two sides is full.
            if (came % 10 === 0) await setTimeout(20);
          }
        },
        async *through(requests) {
          const end = tunnel(requests);
          void server.accept(end.socket);
          yield* end.outgoing;
        },
      }),
    ]);
    const [near, far] = await socketPair();
    void server.accept(far);
    let channel: Channel = openChannel(near);
    owned.push(server, channel);
    for (let level = 0; level < depth; level++) {
      const outer = createClient(definition, channel);
      channel = openChannel(openTunnel((outgoing) => outer.through(outgoing, uncancelled)));
      owned.push(channel);
    }
    for await (const _ of createClient(definition, channel).files(fromThreeBuffers(), uncancelled));
    expect([came, wrong]).toEqual([count, []]);
  },
);
