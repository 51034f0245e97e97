// How BuildKit says what goes wrong with sources, where Kiln has words of its own.
import type { Wording } from "./wire-words.ts";

const unfetched = (words: string) => `failed to load cache key: ${words}`;

export const sourceWordings: readonly Wording[] = [
  {
    code: "HTTP_FAILED",
    ours: /^downloading \S+: the server(?: \S+)? answered (\d+)/,
    theirs: ([, status]) => unfetched(`invalid response status ${status}`),
  },
  {
    code: "CHECKSUM_MISMATCH",
    ours: /^\S+ has checksum (\S+), not (\S+)$/,
    theirs: ([, found, wanted]) => `digest mismatch ${found}: ${wanted}`,
  },
  {
    code: "GIT_FAILED",
    ours: /^\S+ has no branch or tag "(.*)"$/,
    theirs: ([, ref]) => unfetched(`repository does not contain ref ${ref}, output: ""`),
  },
  {
    code: "GIT_FAILED",
    ours: /^\S+: .* is commit (\S+), not (\S+) as the checksum demands$/,
    theirs: ([, found, wanted]) => `expected checksum to match ${wanted}, got ${found}`,
  },
  {
    code: "BLOB_CORRUPT",
    ours: /^(\S+) is (\S+), not (\S+) as was demanded$/,
    theirs: ([, name, found, wanted]) =>
      unfetched(`image digest ${found} for ${name} does not match expected checksum ${wanted}`),
  },
  {
    code: "PLATFORM_NOT_OFFERED",
    ours: /^(\S+) is not offered for .*, only for /,
    theirs: ([, name]) =>
      `failed to resolve source metadata for ${name}: no match for platform in manifest: not found`,
  },
  {
    code: "UNSUPPORTED",
    ours: /^no source for ([^:]*)(:?)/,
    theirs: ([, scheme, colon]) =>
      unfetched(
        colon ? `unknown scheme ${scheme}: not found` : `failed to parse ${scheme}: invalid`,
      ),
  },
];
