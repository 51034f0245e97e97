// HTTP/2's numbers (RFC 9113): frames, flags, settings, errors.

export const frameTypes = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const flags = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

export const settingIds = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Why a stream or a connection ends (RFC 9113, 7). */
export const errorCodes = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

/** What a client's side of a connection begins with (RFC 9113, 3.4). */
export const preface: Uint8Array = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const frameHeadSize = 9;
/** The largest frame that every peer takes, and the smallest limit that it may set. */
export const defaultMaxFrameSize = 16_384;
export const largestMaxFrameSize: number = 2 ** 24 - 1;
export const defaultWindowSize = 65_535;
export const largestWindowSize: number = 2 ** 31 - 1;
/** Bytes of HPACK's dynamic table where nobody sets another size. */
export const defaultHeaderTableSize = 4096;

/** What the other side did wrong. It ends the connection, or only the stream that it names. */
export class Http2Error extends Error {
  /** One of `errorCodes`, or what the other side gave. */
  readonly code: number;
  readonly stream: number | undefined;

  constructor(code: number, message: string, stream?: number) {
    super(message);
    this.code = code;
    this.stream = stream;
  }
}

/** Names and values in turns, as they come in a header block; text is one byte a character. */
export type Fields = readonly string[];
