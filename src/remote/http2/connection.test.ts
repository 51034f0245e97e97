// Two sides of a connection, and one side against bytes written by hand: streams, windows, ends, and peers that mean no good.
import { type Duplex, duplexPair } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { Http2Connection } from "./connection.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { ConnectionLimits } from "./hello.ts";
import { encodeFields } from "./hpack/encoder.ts";
import { errorCodes, type Fields, frameTypes, type Http2Error, preface } from "./protocol.ts";
import type { Stream, StreamEvents } from "./stream.ts";

const limits: ConnectionLimits = {
  streamWindow: 100_000,
  connectionWindow: 300_000,
  maxFrameSize: 16_384,
  maxHeaderListSize: 20_000,
  maxConcurrentStreams: 3,
};
const request: Fields = [":method", "POST", ":scheme", "http", ":path", "/x", "te", "trailers"];
const response: Fields = [":status", "200"];

const opened: Http2Connection[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) {
    one.destroy();
    await one.closed;
  }
});

function pair(): [Duplex, Duplex] {
  const [near, far] = duplexPair();
  for (const side of [near, far]) side.on("error", () => {});
  return [near, far];
}

/** Events written down. */
class Recorder implements StreamEvents {
  readonly told: string[] = [];
  size = 0;
  error: Error | undefined;
  stream: Stream | undefined;
  headers = (fields: Fields) => this.told.push(`headers ${fields}`);
  trailers = (fields: Fields) => this.told.push(`trailers ${fields}`);
  ended = () => this.told.push("ended");
  drained = () => this.told.push("drained");
  data = (piece: Uint8Array) => {
    this.size += piece.length;
  };
  closed = (error: Error | undefined) => {
    this.error = error;
    this.told.push(error ? `closed ${(error as Http2Error).code}` : "closed");
  };
}

/** A server on its own, and the streams that are opened on it. */
function serve(socket: Duplex) {
  const streams: (Recorder & { stream: Stream })[] = [];
  const errors: Error[] = [];
  const connection = new Http2Connection(socket, {
    limits,
    onError: (error) => errors.push(error),
    onStream: (stream) => {
      const recorder = Object.assign(new Recorder(), { stream });
      streams.push(recorder);
      return recorder;
    },
  });
  opened.push(connection);
  return { connection, streams, errors };
}

function both() {
  const [near, far] = pair();
  const client = new Http2Connection(near, { limits });
  opened.push(client);
  return { client, ...serve(far) };
}

const turns = async () => {
  for (let at = 0; at < 20; at++) await new Promise((done) => setImmediate(done));
};

it("a request and its answer, with trailers, close their stream on both sides", async () => {
  const { client, streams } = both();
  const asked = new Recorder();
  const stream = client.request(request, asked);
  stream.write(new Uint8Array(50_000));
  stream.end();
  await turns();
  const [served] = streams;
  expect([served?.size, served?.told]).toEqual([50_000, ["ended"]]);
  served?.stream.sendHeaders(response);
  served?.stream.write(Uint8Array.of(1, 2, 3));
  served?.stream.end(["grpc-status", "0"]);
  await turns();
  expect(asked.told).toEqual(["headers :status,200", "trailers grpc-status,0", "ended", "closed"]);
  expect(served?.told).toEqual(["ended", "closed"]);
});

it("a sender waits for windows, and goes on as room is given back", async () => {
  const { client, streams } = both();
  const asked = new Recorder();
  const stream = client.request(request, asked);
  expect(stream.write(new Uint8Array(2 << 20))).toBe(false);
  await turns();
  const [served] = streams;
  expect(served?.size).toBe(100_000);
  for (let seen = 0; seen < 2 << 20; ) {
    const size = (served?.size ?? 0) - seen;
    expect(size).toBeGreaterThan(0);
    seen += size;
    served?.stream.consumed(size);
    await turns();
  }
  expect(asked.told).toEqual(["drained"]);
});

it("streams that nobody reads do not stop others before the connection's window is full", async () => {
  const { client, streams } = both();
  for (let at = 0; at < 3; at++)
    client.request(request, new Recorder()).write(new Uint8Array(1 << 17));
  await turns();
  expect(streams.map(({ size }) => size)).toEqual([100_000, 100_000, 100_000]);
  // What a closed stream held is given back.
  streams[0]?.stream.reset(errorCodes.CANCEL);
  const other = client.request(request, new Recorder());
  other.write(new Uint8Array(5000));
  await turns();
  expect(streams[3]?.size).toBe(5000);
});

it("requests beyond what the server takes wait for their turn", async () => {
  const { client, streams } = both();
  await turns();
  const asked = Array.from({ length: 5 }, () => client.request(request, new Recorder()));
  await turns();
  expect(streams).toHaveLength(3);
  asked[3]?.reset(errorCodes.CANCEL);
  asked[0]?.reset(errorCodes.CANCEL);
  await turns();
  expect(streams.map(({ stream }) => stream.id)).toEqual([1, 3, 5, 7]);
  expect(streams[0]?.told).toEqual([`closed ${errorCodes.CANCEL}`]);
});

it("an answer before the end of a request tells the sender to stop", async () => {
  const { client, streams } = both();
  const asked = new Recorder();
  const stream = client.request(request, asked);
  stream.write(new Uint8Array(10));
  await turns();
  streams[0]?.stream.sendHeaders([":status", "200", "grpc-status", "12"], true);
  streams[0]?.stream.letGoAtEnd();
  await turns();
  expect(asked.told).toEqual(["headers :status,200,grpc-status,12", "ended", "closed"]);
  expect(asked.error).toBeUndefined();
  expect(stream.writableEnded).toBe(true);
});

it("closing lets streams end, and then the connection", async () => {
  const { client, connection, streams } = both();
  const asked = new Recorder();
  client.request(request, asked).end();
  await turns();
  connection.close();
  await turns();
  expect(client.usable).toBe(false);
  expect(() => client.request(request, new Recorder())).toThrow();
  streams[0]?.stream.sendHeaders(response, true);
  await Promise.all([client.closed, connection.closed]);
  expect(asked.told.at(-1)).toBe("closed");
});

it("pings are answered", async () => {
  const { client } = both();
  await client.ping();
});

it("a connection that is cut fails its streams on both sides", async () => {
  const { client, connection, streams } = both();
  const asked = new Recorder();
  client.request(request, asked);
  await turns();
  connection.destroy(new Error("enough"));
  await Promise.all([client.closed, connection.closed]);
  expect(asked.error).toBeDefined();
  expect(streams[0]?.error?.message).toBe("enough");
});

it("a socket that is closed already is the end of its connection", async () => {
  const [near, far] = pair();
  near.destroy();
  far.destroy();
  await new Promise((done) => setImmediate(done));
  const { connection } = serve(far);
  await connection.closed;
  expect(connection.usable).toBe(false);
});

/** What one side says, written down. */
function listen(socket: Duplex) {
  const said: string[] = [];
  const ignore = () => {};
  const sink: FrameSink = {
    frameBegins() {},
    dataBegins: (stream, size) => said.push(`data ${stream} ${size}`),
    dataPiece: ignore,
    dataEnds: ignore,
    headers: (stream, fragment) => said.push(`headers ${stream} ${fragment[0]}`),
    continuation: ignore,
    reset: (stream, code) => said.push(`reset ${stream} ${code}`),
    settings: ignore,
    settingsAcknowledged: ignore,
    ping: (_payload, acknowledged) => said.push(`ping ${acknowledged}`),
    goAway: (last, code) => said.push(`goaway ${last} ${code}`),
    windowUpdate: ignore,
    ignored: ignore,
  };
  const reader = new FrameReader(sink, 1 << 20);
  socket.on("data", (chunk: Uint8Array) => reader.push(chunk));
  return said;
}

/** A server, and a client written by hand that has said its first words. */
function byHand(settings: readonly (readonly [number, number])[] = []) {
  const [near, far] = pair();
  const server = serve(far);
  const said = listen(near);
  const send = (write: (frames: FrameWriter) => void) => {
    const frames = new FrameWriter();
    write(frames);
    for (const chunk of frames.take()) near.write(chunk);
  };
  send((frames) => {
    frames.raw(preface);
    frames.settings(settings);
  });
  const open = (id: number, fields: Fields = request, end = false) =>
    send((frames) => frames.headers(id, encodeFields(fields), end, 16_384));
  const data = (id: number, size: number, flag = 0) =>
    send((frames) => {
      frames.head(frameTypes.DATA, flag, id, size);
      frames.raw(new Uint8Array(size));
    });
  return { ...server, said, send, open, data, socket: near };
}

const {
  PROTOCOL_ERROR,
  FLOW_CONTROL_ERROR,
  STREAM_CLOSED,
  REFUSED_STREAM,
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
} = errorCodes;

it.each<[string, (peer: ReturnType<typeof byHand>) => void, number, number]>([
  ["a stream with an even number", ({ open }) => open(2), 0, PROTOCOL_ERROR],
  ["DATA on a stream that nobody opened", ({ data }) => data(5, 1), 0, PROTOCOL_ERROR],
  [
    "RST_STREAM of such a stream",
    ({ send }) => send((frames) => frames.reset(5, 0)),
    0,
    PROTOCOL_ERROR,
  ],
  [
    "WINDOW_UPDATE of such a stream",
    ({ send }) => send((frames) => frames.windowUpdate(5, 1)),
    0,
    PROTOCOL_ERROR,
  ],
  [
    "a connection's window widened by nothing",
    ({ send }) => send((frames) => frames.windowUpdate(0, 0)),
    0,
    PROTOCOL_ERROR,
  ],
  [
    "a connection's window beyond measure",
    ({ send }) => send((frames) => frames.windowUpdate(0, 2 ** 31 - 1)),
    0,
    FLOW_CONTROL_ERROR,
  ],
  [
    "headers that are no HPACK",
    ({ send }) => send((frames) => frames.headers(1, Uint8Array.of(0xff, 0xff), false, 16_384)),
    0,
    COMPRESSION_ERROR,
  ],
  [
    "a header block without end",
    ({ send }) => send((frames) => frames.headers(1, new Uint8Array(30_000), false, 16_384)),
    0,
    ENHANCE_YOUR_CALM,
  ],
  [
    "CONTINUATIONs without content",
    ({ send }) =>
      send((frames) => {
        frames.head(frameTypes.HEADERS, 0, 1, 0);
        for (let at = 0; at < 300; at++) frames.head(frameTypes.CONTINUATION, 0, 1, 0);
      }),
    0,
    ENHANCE_YOUR_CALM,
  ],
  [
    "a window of 2^31",
    ({ send }) => send((frames) => frames.settings([[4, 2 ** 31]])),
    0,
    FLOW_CONTROL_ERROR,
  ],
  [
    "more than the connection's window",
    ({ open, data }) => {
      for (const id of [1, 3, 5]) open(id);
      for (let at = 0; at < 20; at++) data(1 + 2 * (at % 3), 16_000);
    },
    5,
    FLOW_CONTROL_ERROR,
  ],
  [
    "thousands of pings",
    ({ send }) =>
      send((frames) => {
        for (let at = 0; at < 12_000; at++) frames.ping(new Uint8Array(8), false);
      }),
    0,
    ENHANCE_YOUR_CALM,
  ],
  [
    "thousands of settings",
    ({ send }) =>
      send((frames) => {
        for (let at = 0; at < 12_000; at++) frames.settings([]);
      }),
    0,
    ENHANCE_YOUR_CALM,
  ],
  [
    "thousands of empty DATA",
    ({ open, send }) => {
      open(1);
      send((frames) => {
        for (let at = 0; at < 12_000; at++) frames.head(frameTypes.DATA, 0, 1, 0);
      });
    },
    1,
    ENHANCE_YOUR_CALM,
  ],
  [
    "thousands of frames of no known type",
    ({ send }) =>
      send((frames) => {
        for (let at = 0; at < 12_000; at++) frames.head(0x77, 0, 1, 0);
      }),
    0,
    ENHANCE_YOUR_CALM,
  ],
])("%s ends the connection", async (_what, act, lastStream, code) => {
  const peer = byHand();
  act(peer);
  await peer.connection.closed;
  expect(peer.said.at(-1)).toBe(`goaway ${lastStream} ${code}`);
  expect(peer.errors).toHaveLength(1);
});

it.each<[string, (peer: ReturnType<typeof byHand>) => void, number]>([
  [
    "DATA after its end",
    ({ open, data }) => {
      open(1, request, true);
      data(1, 1);
    },
    STREAM_CLOSED,
  ],
  [
    "more than its window",
    ({ open, data }) => {
      open(1);
      for (let at = 0; at < 7; at++) data(1, 16_000);
    },
    FLOW_CONTROL_ERROR,
  ],
  [
    "a window widened by nothing",
    ({ open, send }) => {
      open(1);
      send((frames) => frames.windowUpdate(1, 0));
    },
    PROTOCOL_ERROR,
  ],
  [
    "a second header block that does not end it",
    ({ open }) => {
      open(1);
      open(1, ["x", "y"]);
    },
    PROTOCOL_ERROR,
  ],
  ["a request without a path", ({ open }) => open(1, request.slice(0, 4)), PROTOCOL_ERROR],
  ["a name in capitals", ({ open }) => open(1, [...request, "X", "y"]), PROTOCOL_ERROR],
  [
    "more fields than may be",
    ({ open }) => open(1, [...request, ...Array.from({ length: 1400 }, () => "x")]),
    ENHANCE_YOUR_CALM,
  ],
])("%s ends the stream only", async (_what, act, code) => {
  const peer = byHand();
  act(peer);
  peer.open(3);
  await turns();
  expect(peer.said).toContain(`reset 1 ${code}`);
  expect(peer.streams.at(-1)?.stream.id).toBe(3);
  expect(peer.connection.usable).toBe(true);
});

it("whoever begins with something else than SETTINGS is not waited for", async () => {
  const [near, far] = pair();
  const { connection } = serve(far);
  const said = listen(near);
  near.write(preface);
  const frames = new FrameWriter();
  // Of a type that nobody knows, and the greater part of it does not come.
  frames.head(0xee, 0, 0, 100_000);
  frames.raw(new Uint8Array(10));
  for (const chunk of frames.take()) near.write(chunk);
  await connection.closed;
  expect(said).toEqual([`goaway 0 ${PROTOCOL_ERROR}`]);
});

it("streams begun and reset by the thousand end the connection", async () => {
  const peer = byHand();
  peer.send((frames) => {
    for (let id = 1; id < 20_000; id += 2) {
      frames.headers(id, encodeFields(request), false, 16_384);
      frames.reset(id, errorCodes.CANCEL);
    }
  });
  await peer.connection.closed;
  expect(peer.said.at(-1)).toMatch(/^goaway \d+ 11$/);
  expect(peer.streams.length).toBeLessThan(2000);
});

it("streams beyond the limit are refused", async () => {
  const peer = byHand();
  for (const id of [1, 3, 5, 7]) peer.open(id);
  await turns();
  expect(peer.said).toEqual([`reset 7 ${REFUSED_STREAM}`]);
  expect(peer.streams).toHaveLength(3);
});

it("what comes for a stream that was reset was on its way, and gives its room back", async () => {
  const peer = byHand();
  peer.open(1);
  await turns();
  peer.streams[0]?.stream.reset(errorCodes.CANCEL);
  for (let at = 0; at < 100; at++) peer.data(1, 16_000);
  await turns();
  expect(peer.connection.usable).toBe(true);
});

it("windows change with the settings, for streams that are open too", async () => {
  const peer = byHand([[4, 10]]);
  peer.open(1);
  await turns();
  const stream = peer.streams[0]?.stream;
  stream?.sendHeaders(response);
  stream?.write(new Uint8Array(100));
  await turns();
  peer.send((frames) => frames.settings([[4, 5]]));
  peer.send((frames) => frames.windowUpdate(1, 5));
  await turns();
  peer.send((frames) => frames.settings([[4, 25]]));
  await turns();
  expect(peer.said.filter((words) => words.startsWith("data"))).toEqual(["data 1 10", "data 1 20"]);
});

it("frames are no larger than the other side takes, and its smaller table is acknowledged", async () => {
  const peer = byHand([
    [1, 0],
    [5, 20_000],
  ]);
  peer.send((frames) => frames.windowUpdate(0, 1 << 20));
  peer.open(1);
  peer.send((frames) => frames.windowUpdate(1, 1 << 20));
  await turns();
  peer.streams[0]?.stream.sendHeaders(response);
  peer.streams[0]?.stream.write(new Uint8Array(50_000));
  await turns();
  expect(peer.said).toEqual(["headers 1 32", "data 1 20000", "data 1 20000", "data 1 10000"]);
});

it("a peer that asks for answers and takes none is cut off", async () => {
  const [near, far] = pair();
  const server = serve(far);
  near.pause();
  const frames = new FrameWriter();
  frames.raw(preface);
  frames.settings([]);
  for (let at = 0; at < 12_000; at++) frames.ping(new Uint8Array(8), false);
  for (const chunk of frames.take()) near.write(chunk);
  await server.connection.closed;
  expect(server.errors).toHaveLength(1);
});

it("a client waits through 1xx, and leaves a server that pushes", async () => {
  const [near, far] = pair();
  const client = new Http2Connection(near, { limits });
  opened.push(client);
  far.resume();
  const asked = new Recorder();
  client.request(request, asked).end();
  const frames = new FrameWriter();
  frames.settings([]);
  frames.headers(1, encodeFields([":status", "103"]), false, 16_384);
  frames.headers(1, encodeFields(response), false, 16_384);
  frames.head(frameTypes.PUSH_PROMISE, 4, 1, 4);
  frames.raw(Uint8Array.of(0, 0, 0, 2));
  for (const chunk of frames.take()) far.write(chunk);
  await client.closed;
  expect(asked.told).toEqual(["headers :status,200", `closed ${PROTOCOL_ERROR}`]);
});

it("requests that the other side has not begun when it leaves are refused", async () => {
  const [near, far] = pair();
  const client = new Http2Connection(near, { limits });
  opened.push(client);
  far.resume();
  const [first, second] = [new Recorder(), new Recorder()];
  client.request(request, first).end();
  client.request(request, second).end();
  const frames = new FrameWriter();
  frames.settings([]);
  frames.goAway(1, errorCodes.NO_ERROR, "");
  frames.headers(1, encodeFields(response), true, 16_384);
  for (const chunk of frames.take()) far.write(chunk);
  await client.closed;
  expect(second.told).toEqual([`closed ${REFUSED_STREAM}`]);
  expect(first.told).toEqual(["headers :status,200", "ended", "closed"]);
});

it("a server that leaves still takes what was begun before the other side heard of it", async () => {
  const peer = byHand();
  await turns();
  peer.connection.close();
  peer.open(1, request, true);
  await turns();
  expect(peer.said).toEqual([`goaway ${2 ** 31 - 1} 0`, "ping false"]);
  peer.send((frames) => frames.ping(new Uint8Array(8), true));
  await turns();
  peer.open(3, request, true);
  await turns();
  expect(peer.said.slice(2)).toEqual(["goaway 1 0", `reset 3 ${REFUSED_STREAM}`]);
  peer.streams[0]?.stream.sendHeaders(response, true);
  await peer.connection.closed;
  expect(peer.said.at(-1)).toMatch(/^headers 1 /);
});
