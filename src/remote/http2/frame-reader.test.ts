// Frames out of bytes, however they are cut, and what no frame looks like.
import { expect, it } from "vitest";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { errorCodes, frameTypes } from "./protocol.ts";

/** Writes down what it is told; pieces of DATA are joined. */
function recorder() {
  const told: string[] = [];
  let data: number[] = [];
  const sink: FrameSink = {
    frameBegins() {},
    dataBegins: (stream, size) => {
      data = [];
      told.push(`data ${stream} ${size}`);
    },
    dataPiece: (_stream, piece) => data.push(...piece),
    dataEnds: (_stream, padding, end) => told.push(`[${data}] ${padding} ${end}`),
    headers: (stream, fragment, whole, end) =>
      told.push(`headers ${stream} [${fragment}] ${whole} ${end}`),
    continuation: (stream, fragment, whole) =>
      told.push(`continuation ${stream} [${fragment}] ${whole}`),
    reset: (stream, code) => told.push(`reset ${stream} ${code}`),
    settings: (values) => told.push(`settings ${values.join(" ")}`),
    settingsAcknowledged: () => told.push("settings acknowledged"),
    ping: (payload, acknowledged) => told.push(`ping [${payload}] ${acknowledged}`),
    goAway: (last, code) => told.push(`goaway ${last} ${code}`),
    windowUpdate: (stream, increment) => told.push(`window ${stream} ${increment}`),
    ignored: () => told.push("ignored"),
  };
  return { sink, told };
}

function bytesOf(write: (frames: FrameWriter) => void): Uint8Array {
  const frames = new FrameWriter();
  write(frames);
  return Uint8Array.from(frames.take().flatMap((chunk) => [...chunk]));
}

/** A frame of any kind. */
const frame = (type: number, flags: number, stream: number, ...content: number[]) =>
  bytesOf((frames) => {
    frames.head(type, flags, stream, content.length);
    frames.raw(Uint8Array.from(content));
  });

function read(bytes: Uint8Array, pieceSize = bytes.length): readonly string[] {
  const { sink, told } = recorder();
  const reader = new FrameReader(sink, 16_384);
  for (let at = 0; at < bytes.length; at += pieceSize)
    reader.push(bytes.subarray(at, at + pieceSize));
  return told;
}

const all = bytesOf((frames) => {
  frames.settings([
    [3, 100],
    [4, 2 ** 31 - 1],
  ]);
  frames.settingsAcknowledged();
  frames.headers(1, Uint8Array.of(1, 2, 3, 4, 5), true, 2);
  frames.head(frameTypes.DATA, 0x9, 3, 6);
  frames.raw(Uint8Array.of(2, 7, 8, 9, 0, 0));
  frames.head(frameTypes.DATA, 0, 3, 0);
  frames.head(frameTypes.HEADERS, 0x2c, 5, 8);
  frames.raw(Uint8Array.of(1, 0, 0, 0, 9, 16, 42, 0));
  frames.reset(7, 0xfffffff0);
  frames.ping(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), true);
  frames.windowUpdate(0, 70_000);
  frames.head(frameTypes.PRIORITY, 0, 9, 5);
  frames.raw(new Uint8Array(5));
  frames.head(0xee, 0xff, 9, 3);
  frames.raw(new Uint8Array(3));
  frames.goAway(2 ** 31 - 1, 11, "bye");
});

it.each([all.length, 1, 2, 3, 7, 10])("all frames are read, %s bytes at a time", (pieceSize) => {
  expect(read(all, pieceSize)).toEqual([
    "settings 3,100 4,2147483647",
    "settings acknowledged",
    "headers 1 [1,2] false true",
    "continuation 1 [3,4] false",
    "continuation 1 [5] true",
    "data 3 6",
    "[7,8,9] 3 true",
    "data 3 0",
    "[] 0 false",
    "headers 5 [42] true false",
    "reset 7 4294967280",
    "ping [1,2,3,4,5,6,7,8] true",
    "window 0 70000",
    "ignored",
    "ignored",
    "goaway 2147483647 11",
  ]);
});

it("contents of DATA are parts of what was pushed, not copies", () => {
  const bytes = frame(frameTypes.DATA, 0, 1, 1, 2, 3);
  const pieces: Uint8Array[] = [];
  const sink = {
    ...recorder().sink,
    dataPiece: (_: number, piece: Uint8Array) => pieces.push(piece),
  };
  new FrameReader(sink, 16_384).push(bytes);
  expect(pieces.map(({ buffer }) => buffer)).toEqual([bytes.buffer]);
});

const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, ENHANCE_YOUR_CALM } = errorCodes;
const openBlock = [...frame(frameTypes.HEADERS, 0, 1, 1)];

it.each([
  ["a frame over the limit", Uint8Array.of(0, 0x40, 1, 0, 0, 0, 0, 0, 1), FRAME_SIZE_ERROR],
  ["DATA without a stream", frame(frameTypes.DATA, 0, 0, 1), PROTOCOL_ERROR],
  [
    "DATA of padding only, and too much of it",
    frame(frameTypes.DATA, 8, 1, 3, 0, 0),
    PROTOCOL_ERROR,
  ],
  ["DATA that lacks the length of its padding", frame(frameTypes.DATA, 8, 1), FRAME_SIZE_ERROR],
  ["HEADERS without a stream", frame(frameTypes.HEADERS, 4, 0, 1), PROTOCOL_ERROR],
  ["HEADERS with too much padding", frame(frameTypes.HEADERS, 0xc, 1, 9, 0), PROTOCOL_ERROR],
  ["HEADERS too short for their priority", frame(frameTypes.HEADERS, 0x24, 1, 0), FRAME_SIZE_ERROR],
  ["PRIORITY of four bytes", frame(frameTypes.PRIORITY, 0, 1, 0, 0, 0, 0), FRAME_SIZE_ERROR],
  ["RST_STREAM of three bytes", frame(frameTypes.RST_STREAM, 0, 1, 0, 0, 0), FRAME_SIZE_ERROR],
  ["RST_STREAM without a stream", frame(frameTypes.RST_STREAM, 0, 0, 0, 0, 0, 0), PROTOCOL_ERROR],
  ["SETTINGS of a stream", frame(frameTypes.SETTINGS, 0, 1), PROTOCOL_ERROR],
  ["SETTINGS of five bytes", frame(frameTypes.SETTINGS, 0, 0, 0, 1, 0, 0, 0), FRAME_SIZE_ERROR],
  [
    "an acknowledgement with settings",
    frame(frameTypes.SETTINGS, 1, 0, 0, 1, 0, 0, 0, 0),
    FRAME_SIZE_ERROR,
  ],
  [
    "hundreds of settings",
    frame(frameTypes.SETTINGS, 0, 0, ...new Uint8Array(600)),
    ENHANCE_YOUR_CALM,
  ],
  ["a push", frame(frameTypes.PUSH_PROMISE, 4, 1, 0, 0, 0, 2), PROTOCOL_ERROR],
  ["PING of seven bytes", frame(frameTypes.PING, 0, 0, ...new Uint8Array(7)), FRAME_SIZE_ERROR],
  ["PING of a stream", frame(frameTypes.PING, 0, 1, ...new Uint8Array(8)), PROTOCOL_ERROR],
  ["GOAWAY of a stream", frame(frameTypes.GOAWAY, 0, 1, ...new Uint8Array(8)), PROTOCOL_ERROR],
  ["GOAWAY that says nothing", frame(frameTypes.GOAWAY, 0, 0, 0), FRAME_SIZE_ERROR],
  [
    "WINDOW_UPDATE of five bytes",
    frame(frameTypes.WINDOW_UPDATE, 0, 0, ...new Uint8Array(5)),
    FRAME_SIZE_ERROR,
  ],
  ["CONTINUATION of nothing", frame(frameTypes.CONTINUATION, 4, 1, 1), PROTOCOL_ERROR],
  [
    "CONTINUATION of another stream",
    Uint8Array.from([...openBlock, ...frame(frameTypes.CONTINUATION, 4, 3, 1)]),
    PROTOCOL_ERROR,
  ],
  [
    "PING within a header block",
    Uint8Array.from([...openBlock, ...frame(frameTypes.PING, 0, 0, ...new Uint8Array(8))]),
    PROTOCOL_ERROR,
  ],
])("%s ends the connection with its code", (_what, bytes, code) => {
  let found: unknown;
  try {
    read(bytes);
  } catch (error) {
    ({ code: found } = error as { code: unknown });
  }
  expect(found).toBe(code);
});
