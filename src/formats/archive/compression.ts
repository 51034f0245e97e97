// Which compression a stream has, told by its first bytes, and undoing it within limits.
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { type Bytes, concatBytes, KilnError } from "../../base/index.ts";
import { createZstdDecoder, hasZstd } from "./zstd.ts";

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
const defaultExpansionLimits: ExpansionLimits = {
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

function decoderOf(compression: Exclude<Compression, "none">, what: string): Transform {
  const chunkSize = 256 * 1024;
  if (compression === "gzip") return zlib.createGunzip({ chunkSize });
  if (compression === "zstd" && hasZstd()) return createZstdDecoder(maxZstdWindowLog);
  throw new KilnError(
    "UNSUPPORTED",
    `${what} is compressed with ${compression}, which cannot be read here`,
    {
      hint:
        compression === "zstd"
          ? "Install libzstd1, run Kiln with Node 22.15 or newer, or use a gzip-compressed image."
          : "Recompress it with gzip.",
    },
  );
}

async function* expand(
  data: Bytes,
  decoder: Transform,
  what: string,
  limits: ExpansionLimits,
): Bytes {
  const source = { taken: 0, error: undefined as unknown };
  const feeding = feed(data, decoder, source);
  let given = 0;
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      given += chunk.length;
      if (given > limits.bytes || given > limits.slack + limits.ratio * source.taken) {
        throw new KilnError(
          "ARCHIVE_INVALID",
          `${what} expands to far more than its size: ${given} bytes from ${source.taken}`,
        );
      }
      yield chunk;
    }
  } catch (error) {
    throw translate(source.error ?? error, what);
  } finally {
    decoder.destroy();
    await feeding;
  }
}

/** Pushes all of `data` into the decoder, no faster than it takes it. Failures of `data` reach whoever reads the decoder. */
async function feed(
  data: Bytes,
  decoder: Transform,
  source: { taken: number; error: unknown },
): Promise<void> {
  try {
    for await (const chunk of data) {
      if (decoder.destroyed) return;
      source.taken += chunk.length;
      if (!decoder.write(chunk)) await writable(decoder);
    }
    decoder.end();
  } catch (error) {
    source.error = error;
    decoder.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Waits until the decoder takes more, or is gone. */
function writable(decoder: Transform): Promise<void> {
  return new Promise((resolve) => {
    if (decoder.destroyed) {
      resolve();
      return;
    }
    const done = () => {
      decoder.off("drain", done);
      decoder.off("close", done);
      resolve();
    };
    decoder.on("drain", done);
    decoder.on("close", done);
  });
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
