// V8's profiles in the form that `go tool pprof` reads (google/pprof: proto/profile.proto), packed with gzip.
import { gzipSync } from "node:zlib";
import { concatBytes } from "../../base/index.ts";

/** Where a sample was taken, as V8 says it: line and column count from 0. */
export interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** Frames of one sample, innermost first, and its numbers. */
export interface Sample {
  readonly stack: readonly Frame[];
  readonly values: readonly number[];
}

export interface Profile {
  /** What the numbers of a sample are: kind and unit. */
  readonly types: readonly (readonly [kind: string, unit: string])[];
  readonly samples: readonly Sample[];
  /** When it began, in milliseconds since 1970, and how long it took. */
  readonly startedAt: number;
  readonly duration: number;
}

const nanoseconds = 1e6;

export function encodeProfile({ types, samples, startedAt, duration }: Profile): Uint8Array {
  const strings = new Table<string>((text) => text);
  strings.number("");
  const functions = new Table<Frame>(({ functionName, url }) => `${functionName}\n${url}`);
  const locations = new Table<Frame>(
    ({ functionName, url, lineNumber }) => `${functionName}\n${url}\n${lineNumber}`,
  );
  const told = samples.map(({ stack, values }) =>
    message(
      packed(
        1,
        stack.map((frame) => locations.number(frame) + 1),
      ),
      packed(2, values),
    ),
  );
  const places = locations.all.map((frame, at) => {
    const line = message(number(1, functions.number(frame) + 1), number(2, frame.lineNumber + 1));
    return message(number(1, at + 1), bytes(4, line));
  });
  const named = functions.all.map(({ functionName, url }, at) => {
    const name = strings.number(functionName || "(anonymous)");
    return message(
      number(1, at + 1),
      number(2, name),
      number(3, name),
      number(4, strings.number(url)),
    );
  });
  const kinds = types.map(([kind, unit]) =>
    message(number(1, strings.number(kind)), number(2, strings.number(unit))),
  );
  const profile = message(
    ...kinds.map((one) => bytes(1, one)),
    ...told.map((one) => bytes(2, one)),
    ...places.map((one) => bytes(4, one)),
    ...named.map((one) => bytes(5, one)),
    ...strings.all.map((text) => bytes(6, new TextEncoder().encode(text))),
    number(9, startedAt * nanoseconds),
    number(10, duration * nanoseconds),
  );
  return gzipSync(profile);
}

/** Numbers things in the order in which they are first asked for, from 0. */
class Table<T> {
  readonly all: T[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #keyOf: (one: T) => string;

  constructor(keyOf: (one: T) => string) {
    this.#keyOf = keyOf;
  }

  number(one: T): number {
    const key = this.#keyOf(one);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.all.length);
    return this.all.push(one) - 1;
  }
}

function message(...fields: readonly Uint8Array[]): Uint8Array {
  return concatBytes(fields);
}

/** A number of no more than 53 bits that is not negative. */
function varint(value: number): readonly number[] {
  const found: number[] = [];
  let rest = Math.max(0, Math.round(value));
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) found.push((rest % 0x80) | 0x80);
  found.push(rest);
  return found;
}

function number(field: number, value: number): Uint8Array {
  return Uint8Array.from([field << 3, ...varint(value)]);
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.from([(field << 3) | 2, ...varint(value.length)]), value]);
}

function packed(field: number, values: readonly number[]): Uint8Array {
  return bytes(field, Uint8Array.from(values.flatMap(varint)));
}
