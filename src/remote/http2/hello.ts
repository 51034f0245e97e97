// The first words of both sides (RFC 9113, 3.4).
import type { FrameWriter } from "./frame-writer.ts";
import { defaultWindowSize, errorCodes, Http2Error, preface, settingIds } from "./protocol.ts";

/** What this side allows the other, in bytes. */
export interface ConnectionLimits {
  /** On their way in one stream before they are read. */
  readonly streamWindow: number;
  /** And in all streams of the connection. */
  readonly connectionWindow: number;
  readonly maxFrameSize: number;
  readonly maxHeaderListSize: number;
  /** Streams that the other side may have open at once. */
  readonly maxConcurrentStreams: number;
}

/** What this side allows; a client says first that it is one. */
export function sayHello(frames: FrameWriter, limits: ConnectionLimits, isServer: boolean): void {
  if (!isServer) frames.raw(preface);
  frames.settings([
    [settingIds.ENABLE_PUSH, 0],
    [settingIds.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    [settingIds.INITIAL_WINDOW_SIZE, limits.streamWindow],
    [settingIds.MAX_FRAME_SIZE, limits.maxFrameSize],
    [settingIds.MAX_HEADER_LIST_SIZE, limits.maxHeaderListSize],
  ]);
  // The window of a whole connection is no setting.
  frames.windowUpdate(0, limits.connectionWindow - defaultWindowSize);
}

/** What a server hears first. */
export class ClientHello {
  #has = 0;

  get complete(): boolean {
    return this.#has === preface.length;
  }

  /** What comes after it. Throws PROTOCOL_ERROR for other words. */
  take(chunk: Uint8Array): Uint8Array {
    if (this.complete) return chunk;
    const expected = preface.subarray(this.#has);
    const part = chunk.subarray(0, expected.length);
    if (part.some((byte, at) => byte !== expected[at]))
      throw new Http2Error(errorCodes.PROTOCOL_ERROR, "the other side does not speak HTTP/2");
    this.#has += part.length;
    return chunk.subarray(part.length);
  }
}
