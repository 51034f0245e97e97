// What a server meets on an open socket: garbage, half-open connections, oversized frames, callers that never end.
import { Buffer } from "node:buffer";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { uncancelled } from "../../base/index.ts";
import {
  bind,
  createClient,
  createGrpcServer,
  type GrpcServer,
  openChannel,
  rawMessage,
  statusCodes,
} from "./index.ts";

const definition = {
  name: "Echo",
  fullName: "test.Echo",
  methods: {
    one: {
      name: "One",
      requestType: rawMessage,
      requestStream: false,
      responseType: rawMessage,
      responseStream: false,
    },
  },
} as const;

let grpc: GrpcServer;
let server: Server;
let port: number;

beforeEach(async () => {
  grpc = createGrpcServer([bind(definition, { one: async (request) => request })], {
    maxMessageSize: 1000,
    // Connections that HTTP/2 has given up are told by this.
    keepAlive: 200,
  });
  server = createServer((socket) => void grpc.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as { port: number });
});

afterEach(async () => {
  await grpc[Symbol.asyncDispose]();
  server.close();
});

async function stillAnswers(): Promise<void> {
  await using channel = openChannel(connect(port, "127.0.0.1"));
  const answer = await createClient(definition, channel).one(Uint8Array.of(7), uncancelled);
  expect([...answer]).toEqual([7]);
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.resume();
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
}

it("lets go at once of a byte stream that is no HTTP/2, however much comes", async () => {
  const errors: unknown[] = [];
  await using quiet = createGrpcServer([], { onError: (error) => errors.push(error) });
  const [near, far] = duplexPair();
  near.on("error", () => {});
  const accepted = quiet.accept(far);
  near.write(new Uint8Array(1 << 20).fill(7));
  await accepted;
  expect(errors.map(String)).toEqual(["Error: the other side does not speak HTTP/2"]);
});

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

it.each([
  ["words of another protocol", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  ["random bytes", Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 31 + 7) % 256))],
  ["a frame after the preface that is longer than allowed", frame(0, 0x4, 1 << 22)],
  ["a settings frame on a stream", frame(1, 0x4, 6)],
  ["data on a stream that is not open", frame(5, 0x0, 4)],
  ["headers that are no HPACK", frame(1, 0x1, 64, 0xff)],
])("%s end their connection only", async (_, bytes) => {
  const socket = connect(port, "127.0.0.1");
  socket.write(bytes);
  await closed(socket);
  await stillAnswers();
});

/** The preface, empty settings, and one frame of a type, filled with one byte. */
function frame(stream: number, type: number, size: number, fill = 0): Buffer {
  const head = (kind: number, length: number, id: number) => {
    const bytes = Buffer.alloc(9);
    bytes.writeUIntBE(length, 0, 3);
    bytes[3] = kind;
    bytes[4] = kind === 1 ? 0x4 : 0;
    bytes.writeUInt32BE(id, 5);
    return bytes;
  };
  const body = Buffer.alloc(Math.min(size, 1 << 16), fill);
  return Buffer.concat([Buffer.from(preface), head(0x4, 0, 0), head(type, size, stream), body]);
}

it("sockets that say nothing do not keep others from being served", async () => {
  const silent = Array.from({ length: 200 }, () => connect(port, "127.0.0.1"));
  for (const socket of silent) socket.on("error", () => {});
  await stillAnswers();
  for (const socket of silent) socket.destroy();
});

function call(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": "/test.Echo/One", ...headers });
    let found: Record<string, unknown> = {};
    stream.on("response", (response) => {
      found = { ...found, ...response };
    });
    stream.on("trailers", (trailers) => {
      found = { ...found, ...trailers };
    });
    stream.on("error", reject);
    stream.on("close", () => resolve(found));
    stream.resume();
    stream.end(body);
  });
}

const grpcType = { "content-type": "application/grpc" };

it("a malformed call is answered and its connection stays", async () => {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const status = async (headers: Record<string, string>, ...body: number[]) =>
    Number((await call(session, headers, Uint8Array.from(body)))["grpc-status"]);
  expect(await status(grpcType)).toBe(statusCodes.INTERNAL);
  expect(await status(grpcType, 0, 0, 0)).toBe(statusCodes.INTERNAL);
  expect(await status(grpcType, 0, 0xff, 0xff, 0xff, 0xff, 1)).toBe(statusCodes.RESOURCE_EXHAUSTED);
  expect(await status(grpcType, 9, 0, 0, 0, 1, 1)).toBe(statusCodes.INTERNAL);
  expect(await status(grpcType, 1, 0, 0, 0, 1, 1)).toBe(statusCodes.UNIMPLEMENTED);
  expect(await status({ ...grpcType, "grpc-encoding": "gzip" }, 1, 0, 0, 0, 1, 1)).toBe(
    statusCodes.INTERNAL,
  );
  expect(await status({ ...grpcType, "grpc-timeout": "soon" })).toBe(statusCodes.INTERNAL);
  expect(await status({ ...grpcType, ":path": "/no.Such/Thing" })).toBe(statusCodes.UNIMPLEMENTED);
  const plain = await call(session, { "content-type": "text/plain" }, new Uint8Array());
  expect(plain[":status"]).toBe(415);
  expect(await status(grpcType, 0, 0, 0, 0, 1, 7)).toBe(statusCodes.OK);
  session.close();
});

it("a caller that sends half a message and leaves is forgotten", async () => {
  for (let round = 0; round < 20; round++) {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": "/test.Echo/One", ...grpcType });
    stream.on("error", () => {});
    stream.write(Uint8Array.of(0, 0, 0, 0, 200, 1));
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    session.destroy();
  }
  await stillAnswers();
});
