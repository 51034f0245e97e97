// What the sides tell each other about themselves (RFC 9113, 6.5).
import {
  defaultHeaderTableSize,
  defaultMaxFrameSize,
  defaultWindowSize,
  errorCodes,
  Http2Error,
  largestMaxFrameSize,
  largestWindowSize,
  settingIds,
} from "./protocol.ts";

/** What the other side has said, or what holds before it has. */
export interface PeerSettings {
  headerTableSize: number;
  maxConcurrentStreams: number;
  initialWindowSize: number;
  maxFrameSize: number;
}

/** Streams that a client opens before it knows how many it may. */
const streamsBeforeSettings = 100;

export function settingsBefore(): PeerSettings {
  return {
    headerTableSize: defaultHeaderTableSize,
    maxConcurrentStreams: streamsBeforeSettings,
    initialWindowSize: defaultWindowSize,
    maxFrameSize: defaultMaxFrameSize,
  };
}

/** Without a word on the number of streams there is no limit. Throws `Http2Error` for values that HTTP/2 does not allow; settings that are not known mean nothing. */
export function applySettings(
  peer: PeerSettings,
  values: readonly (readonly [id: number, value: number])[],
): void {
  if (peer.maxConcurrentStreams === streamsBeforeSettings) peer.maxConcurrentStreams = Infinity;
  for (const [id, value] of values) {
    switch (id) {
      case settingIds.HEADER_TABLE_SIZE:
        peer.headerTableSize = value;
        break;
      case settingIds.ENABLE_PUSH:
        if (value > 1) throw wrong("ENABLE_PUSH", value);
        break;
      case settingIds.MAX_CONCURRENT_STREAMS:
        peer.maxConcurrentStreams = value;
        break;
      case settingIds.INITIAL_WINDOW_SIZE:
        if (value > largestWindowSize)
          throw new Http2Error(errorCodes.FLOW_CONTROL_ERROR, `a window of ${value} bytes`);
        peer.initialWindowSize = value;
        break;
      case settingIds.MAX_FRAME_SIZE:
        if (value < defaultMaxFrameSize || value > largestMaxFrameSize)
          throw wrong("MAX_FRAME_SIZE", value);
        peer.maxFrameSize = value;
    }
  }
}

function wrong(name: string, value: number): Http2Error {
  return new Http2Error(errorCodes.PROTOCOL_ERROR, `a value of ${value} for ${name}`);
}
