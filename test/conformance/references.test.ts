// Image names and platforms against the neighbours' answers.
import { isKilnError } from "../../src/base/index.ts";
import {
  familiarReference,
  formatPlatform,
  formatPlatformFully,
  formatReference,
  hostPlatform,
  matchPlatform,
  matchPlatformExactly,
  normalizePlatform,
  type Platform,
  parseExactReference,
  parseImageId,
  parsePlatform,
  parsePullReference,
  parseReference,
  platformJson,
  type Reference,
  repositoryName,
  withDefaultTag,
} from "../../src/formats/oci/index.ts";
import { checkRows, differs } from "./rows.ts";

type Answer = Readonly<Record<string, unknown>>;

/** What the neighbours were asked on. */
const host = hostPlatform("x64");

checkRows("image-references", (row) => {
  const input = String(row["input"]);
  const answers = {
    any: described(() => parseImageId(input) ?? parseReference(input)),
    docker: described(() => parsePullReference(input)),
    normalized: described(() => parseReference(input)),
    parse: described(() => parseExactReference(input)),
  };
  const expected = Object.entries(row.out as Readonly<Record<string, Answer>>);
  return differs(
    Object.fromEntries(expected.map(([how, out]) => [how, withoutWords(out)])),
    answers,
  );
});

checkRows("platforms", (row) => {
  const parsed = parsedPlatform(String(row["input"]));
  const out = withoutWords(row.out as Answer);
  if (!parsed) return differs(out, { error: true });
  const normalized = normalizePlatform(parsed);
  const other = row["other"] === undefined ? undefined : parsedPlatform(String(row["other"]));
  return differs(out, {
    parsed: platformJson(parsed),
    normalized: platformJson(normalized),
    format: formatPlatform(parsed),
    formatAll: formatPlatformFully(parsed),
    formatAllNormalized: formatPlatformFully(normalized),
    ...(other && comparison(parsed, other)),
  });
});

function comparison(wanted: Platform, offered: Platform): Answer {
  const lenient = matchPlatform(wanted);
  const exact = matchPlatformExactly(wanted).matches(offered);
  return {
    match: exact,
    onlyStrict: exact,
    only: lenient.matches(offered),
    less: lenient.compare(wanted, offered) < 0,
  };
}

function parsedPlatform(text: string): Platform | undefined {
  try {
    return parsePlatform(text, host);
  } catch (error) {
    if (isKilnError(error, "PLATFORM_INVALID")) return undefined;
    throw error;
  }
}

function described(parse: () => Reference | string): Answer {
  try {
    const found = parse();
    if (typeof found === "string") return { type: "digestReference", digest: found, string: found };
    return {
      ...found,
      type: typeOf(found),
      name: repositoryName(found),
      string: formatReference(found),
      familiar: familiarReference(found),
      tagNameOnly: formatReference(withDefaultTag(found)),
    };
  } catch (error) {
    if (isKilnError(error, "REFERENCE_INVALID")) return { error: true };
    throw error;
  }
}

function typeOf({ tag, digest }: Reference): string {
  if (digest === undefined) return tag === undefined ? "repository" : "taggedReference";
  return tag === undefined ? "canonicalReference" : "reference";
}

/** That there is an error counts, not its words. */
function withoutWords(out: Answer): Answer {
  return "error" in out ? { error: true } : out;
}
