// Frames out of bytes as they come (RFC 9113, 4 and 6). Contents of DATA are handed on piece by piece, without a copy.
import { concatBytes } from "../../base/index.ts";
import { errorCodes, flags, frameHeadSize, frameTypes, Http2Error } from "./protocol.ts";

/** Settings that one frame may have; there are not a dozen of them. */
const maxSettings = 64;

/** What a reader tells, in the order of the bytes. Whatever these throw comes out of `push`. */
export interface FrameSink {
  /** Of every frame, before its content. */
  frameBegins(type: number): void;
  /** `size` counts against the windows: with the padding. */
  dataBegins(stream: number, size: number): void;
  /** A part of the chunk that was pushed: the sink's own now. */
  dataPiece(stream: number, piece: Uint8Array): void;
  /** `padding` is what of the frame's size was no content. */
  dataEnds(stream: number, padding: number, endStream: boolean): void;
  headers(stream: number, fragment: Uint8Array, endHeaders: boolean, endStream: boolean): void;
  continuation(stream: number, fragment: Uint8Array, endHeaders: boolean): void;
  reset(stream: number, code: number): void;
  settings(values: readonly (readonly [id: number, value: number])[]): void;
  settingsAcknowledged(): void;
  ping(payload: Uint8Array, acknowledged: boolean): void;
  goAway(lastStream: number, code: number): void;
  windowUpdate(stream: number, increment: number): void;
  /** A frame that means nothing: PRIORITY, or of a type that is not known. */
  ignored(): void;
}

/** Throws `Http2Error`; after that nothing more may be pushed. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameSize: number;
  readonly #head = new Uint8Array(frameHeadSize);
  #headHas = 0;
  #type = 0;
  #flags = 0;
  #stream = 0;
  /** Of the frame's content, what has not come yet. */
  #left = 0;
  /** Of DATA: bytes of padding at its end; undefined before its length has come. */
  #padding: number | undefined;
  #collected: Uint8Array[] = [];
  /** Whose header block is open: nothing else may come before its end. */
  #openBlock: number | undefined;

  constructor(sink: FrameSink, maxFrameSize: number) {
    this.#sink = sink;
    this.#maxFrameSize = maxFrameSize;
  }

  /** The chunk must not change afterwards. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headHas < frameHeadSize) {
        at += this.#takeHead(chunk, at);
        if (this.#headHas === frameHeadSize) this.#begin();
        continue;
      }
      const end = Math.min(chunk.length, at + this.#left);
      const piece = chunk.subarray(at, end);
      this.#left -= piece.length;
      at = end;
      this.#take(piece);
    }
  }

  #takeHead(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + frameHeadSize - this.#headHas);
    this.#head.set(part, this.#headHas);
    this.#headHas += part.length;
    return part.length;
  }

  #begin(): void {
    const head = this.#head;
    const size = number24(head, 0);
    this.#type = head[3] as number;
    this.#flags = head[4] as number;
    this.#stream = number31(head, 5);
    this.#left = size;
    this.#sink.frameBegins(this.#type);
    this.#checkOrder();
    if (size > this.#maxFrameSize) throw wrongSize(`a frame of ${size} bytes`);
    this.#checkSize(size);
    if (this.#type === frameTypes.DATA) {
      this.#padding = this.#flags & flags.PADDED ? undefined : 0;
      this.#sink.dataBegins(this.#stream, size);
      if (this.#padding === undefined && size === 0) throw wrongSize("padding without a length");
    }
    if (size === 0) this.#finish();
  }

  #checkOrder(): void {
    const {
      DATA,
      HEADERS,
      PRIORITY,
      RST_STREAM,
      SETTINGS,
      PUSH_PROMISE,
      PING,
      GOAWAY,
      CONTINUATION,
    } = frameTypes;
    const type = this.#type;
    const stream = this.#stream;
    if (this.#openBlock !== undefined && (type !== CONTINUATION || stream !== this.#openBlock))
      throw wrong("a header block that another frame interrupts");
    if (this.#openBlock === undefined && type === CONTINUATION)
      throw wrong("CONTINUATION of no header block");
    if (type === PUSH_PROMISE) throw wrong("PUSH_PROMISE, which is switched off");
    const ofStream = type === DATA || type === HEADERS || type === PRIORITY || type === RST_STREAM;
    if (ofStream && stream === 0) throw wrong(`a frame of type ${type} that needs a stream`);
    if ((type === SETTINGS || type === PING || type === GOAWAY) && stream !== 0)
      throw wrong(`a frame of type ${type} on a stream`);
  }

  #checkSize(size: number): void {
    const { PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE } = frameTypes;
    switch (this.#type) {
      case PRIORITY:
        if (size !== 5) throw wrongSize("PRIORITY");
        return;
      case RST_STREAM:
      case WINDOW_UPDATE:
        if (size !== 4) throw wrongSize(`a frame of type ${this.#type}`);
        return;
      case SETTINGS:
        if (size % 6 !== 0 || (size > 0 && this.#flags & flags.ACK)) throw wrongSize("SETTINGS");
        if (size > maxSettings * 6)
          throw new Http2Error(errorCodes.ENHANCE_YOUR_CALM, "too many settings in one frame");
        return;
      case PING:
        if (size !== 8) throw wrongSize("PING");
        return;
      case GOAWAY:
        if (size < 8) throw wrongSize("GOAWAY");
    }
  }

  #take(piece: Uint8Array): void {
    if (this.#type === frameTypes.DATA) this.#takeData(piece);
    else if (this.#isRead()) this.#collected.push(piece);
    if (this.#left === 0) this.#finish();
  }

  /** Frames that mean nothing are not kept, however long they are. */
  #isRead(): boolean {
    return this.#type !== frameTypes.PRIORITY && this.#type <= frameTypes.CONTINUATION;
  }

  #takeData(piece: Uint8Array): void {
    let content = piece;
    if (this.#padding === undefined) {
      this.#padding = content[0] as number;
      content = content.subarray(1);
      if (this.#padding > this.#left + content.length) throw wrong("more padding than frame");
    }
    // What is left of the frame ends with the padding.
    const padded = Math.max(0, this.#padding - this.#left);
    if (padded > 0) content = content.subarray(0, Math.max(0, content.length - padded));
    if (content.length > 0) this.#sink.dataPiece(this.#stream, content);
  }

  #finish(): void {
    this.#headHas = 0;
    const ended = (this.#flags & flags.END_STREAM) !== 0;
    if (this.#type === frameTypes.DATA) {
      const padding = this.#flags & flags.PADDED ? (this.#padding ?? 0) + 1 : 0;
      this.#sink.dataEnds(this.#stream, padding, ended);
      return;
    }
    const [only = new Uint8Array()] = this.#collected;
    const content = this.#collected.length > 1 ? concatBytes(this.#collected) : only;
    this.#collected = [];
    this.#tell(content);
  }

  #tell(content: Uint8Array): void {
    const sink = this.#sink;
    const endHeaders = (this.#flags & flags.END_HEADERS) !== 0;
    const acknowledged = (this.#flags & flags.ACK) !== 0;
    switch (this.#type) {
      case frameTypes.HEADERS: {
        this.#openBlock = endHeaders ? undefined : this.#stream;
        const endStream = (this.#flags & flags.END_STREAM) !== 0;
        sink.headers(this.#stream, this.#fragment(content), endHeaders, endStream);
        break;
      }
      case frameTypes.CONTINUATION:
        if (endHeaders) this.#openBlock = undefined;
        sink.continuation(this.#stream, content, endHeaders);
        break;
      case frameTypes.RST_STREAM:
        sink.reset(this.#stream, number32(content, 0));
        break;
      case frameTypes.SETTINGS:
        if (acknowledged) sink.settingsAcknowledged();
        else sink.settings(settingsOf(content));
        break;
      case frameTypes.PING:
        sink.ping(content, acknowledged);
        break;
      case frameTypes.GOAWAY:
        sink.goAway(number31(content, 0), number32(content, 4));
        break;
      case frameTypes.WINDOW_UPDATE:
        sink.windowUpdate(this.#stream, number31(content, 0));
        break;
      default:
        sink.ignored();
    }
  }

  /** Without padding and priority. */
  #fragment(content: Uint8Array): Uint8Array {
    const padded = (this.#flags & flags.PADDED) !== 0;
    const before = (padded ? 1 : 0) + (this.#flags & flags.PRIORITY ? 5 : 0);
    const after = padded ? (content[0] ?? 0) : 0;
    if (before > content.length) throw wrongSize("HEADERS");
    if (before + after > content.length) throw wrong("more padding than frame");
    return content.subarray(before, content.length - after);
  }
}

function settingsOf(content: Uint8Array): (readonly [id: number, value: number])[] {
  const values: (readonly [number, number])[] = [];
  for (let at = 0; at < content.length; at += 6)
    values.push([number16(content, at), number32(content, at + 2)]);
  return values;
}

function number16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function number24(bytes: Uint8Array, at: number): number {
  return (number16(bytes, at) << 8) | (bytes[at + 2] as number);
}

function number32(bytes: Uint8Array, at: number): number {
  return number16(bytes, at) * 2 ** 16 + number16(bytes, at + 2);
}

/** The highest bit is reserved and means nothing. */
function number31(bytes: Uint8Array, at: number): number {
  return number32(bytes, at) % 2 ** 31;
}

function wrong(what: string): Http2Error {
  return new Http2Error(errorCodes.PROTOCOL_ERROR, what);
}

function wrongSize(what: string): Http2Error {
  return new Http2Error(errorCodes.FRAME_SIZE_ERROR, `${what} of a wrong size`);
}
