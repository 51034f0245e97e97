// Which compression a stream has, told by its first bytes, and undoing it within limits.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { type Bytes, concatBytes, KilnError } from "../../base/index.ts";

export type Compression = "none" | "gzip" | "zstd" | "bzip2" | "xz";

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

const longestMagic = 6;

/** Tells the compression by magic number; "none" for anything unknown. Six bytes are enough. */
export function detectCompression(start: Uint8Array): Compression {
  for (const [compression, magic] of magics) {
    if (magic.every((byte, at) => start[at] === byte)) return compression;
  }
  // Zstandard streams may begin with a skippable frame: 0x184D2A50 to 0x184D2A5F, little-endian.
  const skippable =
    ((start[0] ?? 0) & 0xf0) === 0x50 &&
    start[1] === 0x2a &&
    start[2] === 0x4d &&
    start[3] === 0x18;
  return skippable ? "zstd" : "none";
}

/** Bounds on how far a stream may expand: `slack` bytes, plus `ratio` times the compressed bytes seen, at most `bytes`. */
export interface ExpansionLimits {
  readonly bytes: number;
  readonly ratio: number;
  readonly slack: number;
}

/** Deflate cannot exceed 1:1032, and honest files of zeros come near it; Zstandard can go far beyond. */
export const defaultExpansionLimits: ExpansionLimits = {
  bytes: 256 * 1024 ** 3,
  ratio: 1100,
  slack: 1024 ** 3,
};

/** Largest Zstandard window, as a power of two: 128 MiB, what decoders must offer by RFC 8878's advice plus head-room. */
const maxZstdWindowLog = 27;

/**
 * Undoes whatever compression `data` turns out to have; `what` names it in errors. Throws `ARCHIVE_INVALID` on damage and
 * bombs, `UNSUPPORTED` on formats that this Node cannot read.
 */
export async function* decompress(
  data: Bytes,
  what: string,
  limits: ExpansionLimits = defaultExpansionLimits,
): Bytes {
  const source = data[Symbol.asyncIterator]();
  let ended = false;
  try {
    const start: Uint8Array[] = [];
    let length = 0;
    while (length < longestMagic && !ended) {
      const next = await source.next();
      if (next.done === true) ended = true;
      else {
        start.push(next.value);
        length += next.value.length;
      }
    }
    const head = concatBytes(start);
    const compression = detectCompression(head);
    const whole = (async function* () {
      if (head.length > 0) yield head;
      while (!ended) {
        const next = await source.next();
        if (next.done === true) ended = true;
        else yield next.value;
      }
    })();
    if (compression === "none") yield* whole;
    else yield* expand(whole, decoderOf(compression, what), what, limits);
  } finally {
    if (!ended) await source.return?.();
  }
}

type Decoder = zlib.Gunzip;

function decoderOf(compression: Exclude<Compression, "none">, what: string): Decoder {
  const chunkSize = 256 * 1024;
  if (compression === "gzip") return zlib.createGunzip({ chunkSize });
  const { createZstdDecompress } = zlib as unknown as {
    createZstdDecompress?: (options: object) => Decoder;
  };
  if (compression === "zstd" && createZstdDecompress !== undefined) {
    const { ZSTD_d_windowLogMax: windowLog } = zlib.constants as Record<string, number>;
    return createZstdDecompress({
      chunkSize,
      ...(windowLog === undefined ? {} : { params: { [windowLog]: maxZstdWindowLog } }),
    });
  }
  throw new KilnError(
    "UNSUPPORTED",
    `${what} is compressed with ${compression}, which cannot be read here`,
    {
      hint:
        compression === "zstd"
          ? "Run Kiln with Node 22.15 or newer, or use a gzip-compressed image."
          : "Recompress it with gzip.",
    },
  );
}

async function* expand(
  data: Bytes,
  decoder: Decoder,
  what: string,
  limits: ExpansionLimits,
): Bytes {
  let taken = 0;
  const counted = (async function* () {
    for await (const chunk of data) {
      taken += chunk.length;
      yield chunk;
    }
  })();
  // The pipeline's failure reaches the reader below, through the decoder; sourceError tells it from damage.
  let sourceError: unknown;
  const guarded = (async function* () {
    try {
      yield* counted;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  })();
  const feeding = pipeline(Readable.from(guarded, { objectMode: false }), decoder).catch(() => {});
  let given = 0;
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      given += chunk.length;
      if (given > limits.bytes || given > limits.slack + limits.ratio * taken) {
        throw new KilnError(
          "ARCHIVE_INVALID",
          `${what} expands to far more than its size: ${given} bytes from ${taken}`,
        );
      }
      yield chunk;
    }
  } catch (error) {
    throw translate(sourceError ?? error, what);
  } finally {
    decoder.destroy();
    await feeding;
  }
}

function translate(error: unknown, what: string): unknown {
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? "") : "";
  const damaged =
    code.startsWith("Z_") || code.startsWith("ZSTD_") || code === "ERR_ZLIB_INITIALIZATION_FAILED";
  if (!damaged) return error;
  return new KilnError("ARCHIVE_INVALID", `${what} is damaged: it does not decompress`, {
    cause: error,
  });
}
