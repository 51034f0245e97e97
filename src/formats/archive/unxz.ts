// Undoing xz in this process (docs/decisions/0032): what xz itself writes unless it is told otherwise.
import { type Bytes, KilnError } from "../../base/index.ts";

/** What the decoder says of data that it cannot read: checks, memory, dictionaries above 64 MiB, filters of processors. */
const beyondIt: ReadonlySet<string> = new Set(["2", "3", "4", "6"]);

/**
 * The contents of `data`, one or more streams. One archive at a time is read in a process; more wait. Throws
 * `ARCHIVE_INVALID` for damage, and `UNSUPPORTED` for what only xz can read; `what` names it.
 */
export async function* unxz(data: Bytes, what: string): Bytes {
  // Few builds have such archives, and this is all that needs it.
  const { XzReadableStream } = await import("xz-decompress");
  const source: { failure?: unknown } = {};
  const lent = (async function* () {
    try {
      yield* data;
    } catch (error) {
      source.failure = error;
      throw error;
    }
  })();
  const reader = new XzReadableStream(ReadableStream.from(lent)).getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      if (value.length > 0) yield value;
    }
  } catch (error) {
    // The decoder has let go of everything.
    ended = true;
    if ("failure" in source) throw source.failure;
    throw translated(error, what);
  } finally {
    if (!ended) await reader.cancel().catch(() => {});
    await lent.return(undefined);
  }
}

function translated(error: unknown, what: string): KilnError {
  const code = /error code (\d+)$/.exec(error instanceof Error ? error.message : "")?.[1];
  if (code !== undefined && beyondIt.has(code)) {
    return new KilnError("UNSUPPORTED", `${what} is packed in a way that only xz itself can read`, {
      cause: error,
      hint: "Install it (apt-get install xz-utils), or pack the archive with gzip.",
    });
  }
  return new KilnError("ARCHIVE_INVALID", `${what} is damaged: it does not decompress`, {
    cause: error,
  });
}
