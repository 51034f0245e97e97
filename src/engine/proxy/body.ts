// An answer's body on its way to a step: hashed as it passes, and held to a checksum where one is demanded.
import { Transform } from "node:stream";
import { createDigester, type Digest, KilnError } from "../../base/index.ts";

/** What was read is not what a policy demands. */
export class WrongChecksum extends KilnError {}

export interface TrackedBody {
  readonly stream: Transform;
  /** Of all that has passed; ask once it has ended. */
  digest(): Digest;
}

/**
 * With `expected`, the last piece is kept back until all is known: whoever reads a body that is not the expected one never
 * sees it whole. Fails with `WrongChecksum` then.
 */
export function trackBody(url: string, expected: Digest | undefined): TrackedBody {
  const digester = createDigester();
  let digest: Digest | undefined;
  let held: Uint8Array | undefined;
  const ended = (): Digest => {
    digest ??= digester.digest();
    return digest;
  };
  const stream = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      digester.update(chunk);
      if (expected === undefined) return done(null, chunk);
      const before = held;
      held = chunk;
      done(null, before);
    },
    flush(done) {
      if (expected === undefined || ended() === expected) return done(null, held);
      const message = `${url} has the checksum ${ended()}, and the source policy demands ${expected}`;
      done(new WrongChecksum("CHECKSUM_MISMATCH", message));
    },
  });
  return { stream, digest: ended };
}
