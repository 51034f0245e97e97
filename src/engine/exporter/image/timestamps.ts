// The times that an image carries: fixed ones unless the build asks for real ones, so that equal inputs make equal images.
import type { ImageAttributes } from "./attributes.ts";

/**
 * Used where nobody names a time: 1980-01-01T00:00:00Z, the earliest that every archive format can hold (zip has no
 * earlier one). See docs/decisions.
 */
export const defaultEpoch = 315532800;

export interface Timestamps {
  /** Seconds: later times in new layers are lowered to this; undefined leaves them. */
  readonly clamp: number | undefined;
  /** RFC 3339: of the image, and of history lines without a time. */
  readonly created: string;
}

/** What the attributes ask for, else the build's SOURCE_DATE_EPOCH, else the fixed default or, where times are to be real, the clock. */
export function chooseTimestamps(
  attributes: Pick<ImageAttributes, "sourceDateEpoch" | "rewriteTimestamp">,
  buildEpoch: number | undefined,
  now: () => Date,
): Timestamps {
  const asked = attributes.sourceDateEpoch ?? buildEpoch;
  if (!attributes.rewriteTimestamp) {
    return {
      clamp: undefined,
      created: asked === undefined ? realTime(now()) : formatSeconds(asked),
    };
  }
  const epoch = asked ?? defaultEpoch;
  return { clamp: epoch, created: formatSeconds(epoch) };
}

/** As Go writes a time without fractions of a second. */
function formatSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

function realTime(now: Date): string {
  return now.toISOString().replace(/\.?0*Z$/, "Z");
}
