// libzstd through koffi: what Node before 22.15 lacks. Calls run in Node's thread pool; each context is used by one at a time.
import { requireKoffi } from "../../base/index.ts";

type NativeCall = {
  (...args: unknown[]): unknown;
  async(...args: unknown[]): void;
};

interface Koffi {
  load(name: string): { func(prototype: string): NativeCall };
}

/** One call's outcome. */
export interface Decoded {
  readonly taken: number;
  readonly given: number;
  /** True at the end of a frame whose bytes have all been given. */
  readonly frameEnded: boolean;
}

/** Packs one piece of data at a time, in memory that it keeps. */
export interface ZstdEncoder {
  /** One frame with the data's length in it. */
  encode(data: Uint8Array, level: number): Promise<Uint8Array>;
}

/** Owned by who made it. */
export interface ZstdDecoder extends Disposable {
  /** As much of `input` from `at` on as fits into `output`. Throws an error with code `ZSTD_error` for damage. */
  decode(input: Uint8Array, at: number, output: Uint8Array): Promise<Decoded>;
}

export interface ZstdLibrary {
  encoder(): ZstdEncoder;
  /** Windows larger than 2^`windowLog` bytes are refused. */
  decoder(windowLog: number): ZstdDecoder;
}

const names = ["libzstd.so.1", "libzstd.so", "libzstd.1.dylib"];

/** ZSTD_c_compressionLevel and ZSTD_d_windowLogMax of zstd.h. */
const levelParameter = 100;
const windowLogParameter = 100;

let found: ZstdLibrary | null | undefined;

/** Undefined where koffi or the library is missing. */
export function zstdLibrary(): ZstdLibrary | undefined {
  if (found === undefined) found = open() ?? null;
  return found ?? undefined;
}

function open(): ZstdLibrary | undefined {
  let koffi: Koffi;
  try {
    koffi = requireKoffi() as Koffi;
  } catch {
    return undefined;
  }
  for (const name of names) {
    try {
      return bind(koffi.load(name));
    } catch {
      // Another name, then.
    }
  }
  return undefined;
}

function bind(library: ReturnType<Koffi["load"]>): ZstdLibrary {
  const func = (prototype: string) => library.func(prototype);
  const bound = func("size_t ZSTD_compressBound(size_t size)");
  const isError = func("unsigned int ZSTD_isError(size_t code)");
  const nameOf = func("const char *ZSTD_getErrorName(size_t code)");
  const newEncoder = func("void *ZSTD_createCCtx()");
  const freeEncoder = func("size_t ZSTD_freeCCtx(void *context)");
  const setEncoder = func("size_t ZSTD_CCtx_setParameter(void *context, int parameter, int value)");
  const encode = func(
    "size_t ZSTD_compress2(void *context, void *to, size_t room, const void *from, size_t size)",
  );
  const newDecoder = func("void *ZSTD_createDCtx()");
  const freeDecoder = func("size_t ZSTD_freeDCtx(void *context)");
  const setDecoder = func("size_t ZSTD_DCtx_setParameter(void *context, int parameter, int value)");
  const decode = func(
    "size_t ZSTD_decompressStream_simpleArgs(void *context, void *to, size_t room, void *given, const void *from, size_t size, void *taken)",
  );
  const checked = (code: unknown): number => {
    if (!isError(code)) return Number(code);
    const message = String(nameOf(code));
    throw Object.assign(new Error(message), { code: "ZSTD_error" });
  };
  return {
    encoder() {
      let room = new Uint8Array(0);
      return {
        async encode(data, level) {
          const context = newEncoder();
          try {
            checked(setEncoder(context, levelParameter, level));
            const most = Number(bound(data.length));
            if (room.length < most) room = new Uint8Array(most);
            const size = await later(encode, context, room, room.length, data, data.length);
            return room.slice(0, checked(size));
          } finally {
            freeEncoder(context);
          }
        },
      };
    },
    decoder(windowLog) {
      const context = newDecoder();
      checked(setDecoder(context, windowLogParameter, windowLog));
      const given = new BigUint64Array(1);
      const taken = new BigUint64Array(1);
      let freed = false;
      let busy: Promise<unknown> | undefined;
      return {
        async decode(input, at, output) {
          given[0] = 0n;
          taken[0] = 0n;
          const rest = input.subarray(at);
          const { length } = output;
          busy = later(decode, context, output, length, given, rest, rest.length, taken);
          const left = checked(await busy);
          return {
            taken: Number(taken[0]),
            given: Number(given[0]),
            frameEnded: left === 0,
          };
        },
        [Symbol.dispose]() {
          if (freed) return;
          freed = true;
          // A context is not freed under a call that uses it.
          void Promise.resolve(busy).finally(() => freeDecoder(context));
        },
      };
    },
  };
}

/** The call in Node's thread pool; what it is given stays alive until it is over. */
function later(call: NativeCall, ...args: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, result: unknown) =>
      error ? reject(error) : resolve(result),
    );
  });
}
