// What the other side's frames mean: for the connection, or for the stream that they name.
import { faultOfResponse, faultOfTrailers, fieldOf } from "./fields.ts";
import type { FrameSink } from "./frame-reader.ts";
import { HeaderBlock } from "./header-block.ts";
import { HpackDecoder } from "./hpack/decoder.ts";
import { costs, type Patience } from "./patience.ts";
import { errorCodes, type Fields, frameTypes, Http2Error } from "./protocol.ts";
import { resetByPeer, type Stream } from "./stream.ts";
import type { Streams } from "./streams.ts";
import type { ReceiveWindow } from "./windows.ts";

/** What of it is the connection's own. */
export interface IncomingHost {
  /** The other side opens a stream. Undefined fields were larger than they may be. */
  accept(id: number, fields: Fields | undefined): Stream | undefined;
  applySettings(values: readonly (readonly [id: number, value: number])[]): void;
  answerPing(payload: Uint8Array): void;
  pingAnswered(): void;
  leave(lastStream: number, code: number): void;
  /** Increment 0 and windows that grow too large are refused. */
  widen(stream: Stream | undefined, increment: number): void;
  /** Bytes of DATA that nobody holds. */
  release(size: number): void;
  reject(stream: Stream, code: number): void;
}

export class Incoming implements FrameSink {
  readonly #host: IncomingHost;
  readonly #streams: Streams;
  readonly #patience: Patience;
  readonly #window: ReceiveWindow;
  readonly #decoder: HpackDecoder;
  readonly #maxHeaderListSize: number;
  #block: HeaderBlock | undefined;
  /** Whose DATA frame is being read; undefined where nobody wants it. */
  #reading: Stream | undefined;
  /** Of that frame, pieces of content that have come. */
  #pieces = 0;
  #settled = false;

  constructor(
    host: IncomingHost,
    parts: {
      readonly streams: Streams;
      readonly patience: Patience;
      readonly window: ReceiveWindow;
      readonly maxHeaderListSize: number;
    },
  ) {
    this.#host = host;
    this.#streams = parts.streams;
    this.#patience = parts.patience;
    this.#window = parts.window;
    this.#maxHeaderListSize = parts.maxHeaderListSize;
    this.#decoder = new HpackDecoder(parts.maxHeaderListSize);
  }

  /** What does not begin with SETTINGS is not waited for: its length may be as wrong as its type. */
  frameBegins(type: number): void {
    if (!this.#settled && type !== frameTypes.SETTINGS) throw beforeSettings();
  }

  dataBegins(id: number, size: number): void {
    this.#patience.received(size);
    if (!this.#window.receive(size))
      throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, "more than the connection's window");
    const stream = this.#streams.known(id, "DATA");
    const fault = stream && faultOfData(stream, size);
    this.#pieces = 0;
    this.#reading = fault === undefined ? stream : undefined;
    if (stream && fault !== undefined) this.#host.reject(stream, fault);
  }

  dataPiece(_id: number, piece: Uint8Array): void {
    this.#pieces++;
    const stream = this.#reading;
    if (stream && !stream.closed) stream.deliver(piece);
    else this.#host.release(piece.length);
  }

  dataEnds(_id: number, padding: number, endStream: boolean): void {
    const stream = this.#reading;
    this.#reading = undefined;
    if (!endStream && this.#pieces === 0) this.#patience.spend(costs.frame);
    if (!stream || stream.closed) {
      this.#host.release(padding);
      return;
    }
    if (padding > 0) stream.skip(padding);
    if (endStream) stream.remoteEnds();
  }

  headers(id: number, fragment: Uint8Array, endHeaders: boolean, endStream: boolean): void {
    this.#block = new HeaderBlock(id, endStream, this.#maxHeaderListSize);
    this.continuation(id, fragment, endHeaders);
  }

  continuation(_id: number, fragment: Uint8Array, endHeaders: boolean): void {
    const block = this.#block as HeaderBlock;
    block.add(fragment);
    if (!endHeaders) return;
    this.#block = undefined;
    this.#receiveFields(block);
  }

  reset(id: number, code: number): void {
    this.#patience.spend(this.#streams.isServer ? costs.reset : costs.frame);
    const stream = this.#streams.known(id, "RST_STREAM");
    stream?.close(resetByPeer(stream, code));
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    this.#patience.spend(costs.frame);
    this.#settled = true;
    this.#host.applySettings(values);
  }

  settingsAcknowledged(): void {
    if (!this.#settled) throw beforeSettings();
  }

  ping(payload: Uint8Array, acknowledged: boolean): void {
    if (acknowledged) {
      this.#host.pingAnswered();
      return;
    }
    this.#patience.spend(costs.frame);
    this.#host.answerPing(payload);
  }

  goAway(lastStream: number, code: number): void {
    this.#host.leave(lastStream, code);
  }

  windowUpdate(id: number, increment: number): void {
    this.#patience.spend(costs.frame);
    const stream = id === 0 ? undefined : this.#streams.known(id, "WINDOW_UPDATE");
    if (id === 0 || stream) this.#host.widen(stream, increment);
  }

  ignored(): void {
    this.#patience.spend(costs.frame);
  }

  #receiveFields(block: HeaderBlock): void {
    const fields = this.#decoder.decode(block.whole());
    const { stream: id, endStream } = block;
    if (this.#streams.isNew(id)) {
      const opened = this.#host.accept(id, fields);
      if (endStream) opened?.remoteEnds();
      return;
    }
    const stream = this.#streams.known(id, "HEADERS");
    const fault = stream && faultOfBlock(stream, fields, endStream);
    if (stream && fault !== undefined) {
      this.#host.reject(stream, fault);
      return;
    }
    // What comes for a stream that was reset was on its way; 1xx is followed by what counts.
    if (!stream || !fields || (!stream.answered && isInformational(fields))) {
      this.#patience.spend(costs.frame);
      return;
    }
    stream.receiveHeaders(fields);
    if (endStream) stream.remoteEnds();
  }
}

function beforeSettings(): Http2Error {
  return new Http2Error(errorCodes.PROTOCOL_ERROR, "a frame before the first SETTINGS");
}

/** Why DATA must not come now; undefined where it may. */
function faultOfData(stream: Stream, size: number): number | undefined {
  if (stream.remoteEnded) return errorCodes.STREAM_CLOSED;
  if (!stream.answered) return errorCodes.PROTOCOL_ERROR;
  return stream.expect(size) ? undefined : errorCodes.FLOW_CONTROL_ERROR;
}

/** Why a header block must not come now. Undefined fields were larger than they may be. */
function faultOfBlock(
  stream: Stream,
  fields: Fields | undefined,
  endStream: boolean,
): number | undefined {
  if (stream.remoteEnded) return errorCodes.STREAM_CLOSED;
  if (!fields) return errorCodes.ENHANCE_YOUR_CALM;
  const fault = stream.answered ? faultOfTrailers(fields) : faultOfResponse(fields);
  // Trailers end their stream, and 1xx do not.
  const ends = stream.answered ? endStream : !(endStream && isInformational(fields));
  return fault === undefined && ends ? undefined : errorCodes.PROTOCOL_ERROR;
}

function isInformational(fields: Fields): boolean {
  return fieldOf(fields, ":status")?.startsWith("1") === true;
}
