// Calls of all four shapes over sockets and tunnels, with cancellation, deadlines, limits and backpressure.
import { Duplex } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterEach, expect, it } from "vitest";
import { socketPair } from "../../../test/kit/socket-pair.ts";
import { delay, KilnError, uncancelled } from "../../base/index.ts";
import { MessageParser } from "./framing.ts";
import {
  bind,
  type Channel,
  createClient,
  createGrpcServer,
  fromStatus,
  type GrpcServer,
  type Implementation,
  type MessageType,
  openChannel,
  openTunnel,
  rawMessage,
  type ServerCall,
  type ServerOptions,
  StatusError,
  statusCodes,
  tunnel,
} from "./index.ts";

const raw: MessageType<Uint8Array> = rawMessage;
const definition = {
  name: "Echo",
  fullName: "test.Echo",
  methods: {
    one: {
      name: "One",
      requestType: raw,
      requestStream: false,
      responseType: raw,
      responseStream: false,
    },
    many: {
      name: "Many",
      requestType: raw,
      requestStream: false,
      responseType: raw,
      responseStream: true,
    },
    sum: {
      name: "Sum",
      requestType: raw,
      requestStream: true,
      responseType: raw,
      responseStream: false,
    },
    both: {
      name: "Both",
      requestType: raw,
      requestStream: true,
      responseType: raw,
      responseStream: true,
    },
  },
} as const;
type Echo = Implementation<typeof definition>;

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (word: string) => new TextEncoder().encode(word);
const owned: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of owned.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open(implementation: Echo, options: ServerOptions = {}) {
  const server: GrpcServer = createGrpcServer([bind(definition, implementation)], options);
  const [near, far] = await socketPair();
  void server.accept(far);
  const channel: Channel = openChannel(near);
  owned.push(server, channel);
  return { server, channel, client: createClient(definition, channel) };
}

async function collect(messages: AsyncIterable<Uint8Array>): Promise<string[]> {
  const words: string[] = [];
  for await (const message of messages) words.push(text(message));
  return words;
}

async function* words(...list: string[]): AsyncIterable<Uint8Array> {
  for (const word of list) yield bytes(word);
}

const echo: Echo = {
  one: async (request) => bytes(`<${text(request)}>`),
  async *many(request) {
    for (const letter of text(request)) yield bytes(letter);
  },
  sum: async (requests) => bytes((await collect(requests)).join("+")),
  async *both(requests) {
    for await (const request of requests) yield bytes(text(request).toUpperCase());
  },
};

it("calls of all four shapes answer", async () => {
  const { client } = await open(echo);
  expect(text(await client.one(bytes("a"), uncancelled))).toBe("<a>");
  expect(await collect(client.many(bytes("abc"), uncancelled))).toEqual(["a", "b", "c"]);
  expect(text(await client.sum(words("1", "2", "3"), uncancelled))).toBe("1+2+3");
  expect(await collect(client.both(words("x", "y"), uncancelled))).toEqual(["X", "Y"]);
});

it("thousands of calls on one connection are no flood", async () => {
  const { client } = await open(echo);
  for (let round = 0; round < 60; round++) {
    const calls = Array.from({ length: 64 }, () => client.one(bytes("a"), uncancelled));
    await Promise.all([...calls, collect(client.many(bytes("abc"), uncancelled))]);
  }
});

it("a large message passes in both directions", async () => {
  const { client } = await open({ one: async (request) => request });
  const large = new Uint8Array(15 << 20).fill(7);
  const answer = await client.one(large, uncancelled);
  expect(answer.length).toBe(large.length);
  expect(answer[large.length - 1]).toBe(7);
});

it("a failure arrives with its code, its words and Kiln's own code", async () => {
  const { client } = await open({
    one: async () => {
      throw new KilnError("COPY_NOT_FOUND", "no “such” file\n100%", { hint: "Look again." });
    },
  });
  const error = await client.one(bytes(""), uncancelled).catch((one: unknown) => one);
  expect(error).toBeInstanceOf(StatusError);
  const status = error as StatusError;
  expect(status.code).toBe(statusCodes.NOT_FOUND);
  expect(status.message).toBe("no “such” file\n100%");
  expect(fromStatus(status)).toMatchObject({ code: "COPY_NOT_FOUND", hint: "Look again." });
});

it("a failure with more words than a header holds arrives, cut", async () => {
  const { client } = await open({
    one: async () => {
      throw new StatusError(statusCodes.NOT_FOUND, "“".repeat(1 << 20), [
        { typeUrl: "large", value: new Uint8Array(1 << 20) },
      ]);
    },
  });
  const error = await client.one(bytes(""), uncancelled).catch((one: unknown) => one);
  const status = error as StatusError;
  expect(status.code).toBe(statusCodes.NOT_FOUND);
  expect(status.message).toMatch(/^“{1000,}$/);
});

it("a method that is not served is unimplemented", async () => {
  const { client } = await open({});
  await expect(client.one(bytes(""), uncancelled)).rejects.toMatchObject({ code: 12 });
});

it("metadata, headers and trailers pass", async () => {
  const seen: unknown[] = [];
  const { client } = await open({
    one: async (request, call) => {
      seen.push(call.metadata.get("x-many"), call.service, call.method);
      call.sendHeaders(new Map([["x-head", ["h"]]]));
      return request;
    },
  });
  const onHeaders = (headers: ReadonlyMap<string, readonly string[]>) =>
    seen.push(headers.get("x-head"));
  const metadata = new Map([["x-many", ["a", "b"]]]);
  await client.one(bytes(""), { ...uncancelled, sendMetadata: metadata, onHeaders });
  expect(seen).toEqual([["a", "b"], "test.Echo", "One", ["h"]]);
});

it("a call that is passed on takes nothing along that its caller sent", async () => {
  const seen: unknown[] = [];
  const inner = await open({
    one: async (request, { metadata }) => {
      seen.push([...metadata.keys()].filter((name) => name === "te" || name.startsWith("x-")));
      return request;
    },
  });
  const outer = await open({ one: (request, call) => inner.client.one(request, call) });
  const sendMetadata = new Map([["x-secret", ["s"]]]);
  await outer.client.one(bytes(""), { ...uncancelled, sendMetadata });
  expect(seen).toEqual([["te"]]);
});

it("a caller that cancels ends the call on the other side", async () => {
  let ended: (reason: unknown) => void = () => {};
  const reason = new Promise<unknown>((resolve) => {
    ended = resolve;
  });
  const { client } = await open({
    one: (_request, call: ServerCall) =>
      new Promise((_resolve, reject) => {
        call.signal.addEventListener("abort", () => {
          ended(call.signal.reason);
          reject(call.signal.reason);
        });
      }),
  });
  const controller = new AbortController();
  const asked = client.one(bytes(""), { signal: controller.signal });
  setTimeout(() => controller.abort(new DOMException("enough", "AbortError")), 50);
  await expect(asked).rejects.toThrow("enough");
  expect(await reason).toMatchObject({ name: "AbortError" });
});

it("a caller that leaves a stream of answers cancels the call", async () => {
  let sent = 0;
  let over = false;
  const { client } = await open({
    async *many() {
      try {
        for (;;) {
          sent++;
          yield new Uint8Array(100_000);
        }
      } finally {
        over = true;
      }
    },
  });
  for await (const _answer of client.many(bytes(""), uncancelled)) break;
  await expect.poll(() => over).toBe(true);
  expect(sent).toBeLessThan(500);
});

it("a time limit ends the call with DEADLINE_EXCEEDED", async () => {
  const { client } = await open({
    one: async (request, call) => delay(5000, call).then(() => request),
  });
  const metadata = new Map([["grpc-timeout", ["50m"]]]);
  await expect(
    client.one(bytes(""), { ...uncancelled, sendMetadata: metadata }),
  ).rejects.toMatchObject({
    code: statusCodes.DEADLINE_EXCEEDED,
  });
});

it("nobody reads: the sender waits", async () => {
  let sent = 0;
  const { client } = await open({
    async *many() {
      for (; sent < 2000; sent++) yield new Uint8Array(100_000);
    },
  });
  const iterator = client.many(bytes(""), uncancelled)[Symbol.asyncIterator]();
  await iterator.next();
  await delay(300, uncancelled);
  expect(sent).toBeLessThan(1000);
  let got = 1;
  while (!(await iterator.next()).done) got++;
  expect(got).toBe(2000);
});

it("a message over the limit ends its call only", async () => {
  const { client } = await open(echo, { maxMessageSize: 1000 });
  await expect(client.one(new Uint8Array(2000), uncancelled)).rejects.toMatchObject({
    code: statusCodes.RESOURCE_EXHAUSTED,
  });
  expect(text(await client.one(bytes("b"), uncancelled))).toBe("<b>");
});

it("a connection that is lost fails its calls and the next ones", async () => {
  const { client, server, channel } = await open({
    one: async (r, call) => delay(9999, call).then(() => r),
  });
  const waiting = client.one(bytes(""), uncancelled);
  waiting.catch(() => {});
  await delay(50, uncancelled);
  await server[Symbol.asyncDispose]();
  await expect(waiting).rejects.toBeInstanceOf(StatusError);
  await channel.closed;
  await expect(client.one(bytes(""), uncancelled)).rejects.toMatchObject({
    code: statusCodes.UNAVAILABLE,
  });
});

it("shutting down lets calls end and takes no new ones", async () => {
  const { client, server } = await open({ one: async (r, call) => delay(200, call).then(() => r) });
  const running = client.one(bytes("x"), uncancelled);
  await delay(50, uncancelled);
  const down = server.shutdown(uncancelled);
  expect(text(await running)).toBe("x");
  await down;
  await expect(client.one(bytes(""), uncancelled)).rejects.toBeInstanceOf(StatusError);
});

it("a server inside a tunnel answers", async () => {
  const inner = createGrpcServer([bind(definition, echo)]);
  const { client } = await open({
    async *both(requests) {
      const end = tunnel(dataOf(requests));
      void inner.accept(end.socket);
      for await (const { data } of end.outgoing) yield data;
    },
  });
  const socket = openTunnel((outgoing) => dataOf(client.both(bytesOf(outgoing), uncancelled)));
  const channel = openChannel(socket);
  owned.push(channel, inner);
  const through = createClient(definition, channel);
  expect(text(await through.one(bytes("deep"), uncancelled))).toBe("<deep>");
  const large = new Uint8Array(5 << 20).fill(1);
  expect(
    (
      await through.sum(
        (async function* () {
          yield large;
          yield large;
        })(),
        uncancelled,
      )
    ).length,
  ).toBe((10 << 20) + 1);
});

it("compressed messages are read", () => {
  const packed = gzipSync(bytes("packed"));
  const parser = new MessageParser(100, () => "gzip");
  const prefix = Uint8Array.from([1, 0, 0, 0, packed.length]);
  parser.push(prefix);
  expect(parser.next()).toBeUndefined();
  parser.push(packed);
  expect(text(parser.next() ?? bytes(""))).toBe("packed");
});

async function* dataOf(messages: AsyncIterable<Uint8Array>): AsyncIterable<{ data: Uint8Array }> {
  for await (const data of messages) yield { data };
}

async function* bytesOf(messages: AsyncIterable<{ data: Uint8Array }>): AsyncIterable<Uint8Array> {
  for await (const { data } of messages) yield data;
}

it("one end of a tunnel that is destroyed ends the other", () => {
  const { socket } = tunnel((async function* () {})());
  expect(socket).toBeInstanceOf(Duplex);
  socket.destroy();
  expect(socket.destroyed).toBe(true);
});
