// How BuildKit says what Kiln says in its own words: clients, and scripts around them, look for BuildKit's.
import type { KilnError } from "../../base/index.ts";
import { sourceWordings } from "./source-words.ts";

export interface Wording {
  readonly code: KilnError["code"];
  readonly ours: RegExp;
  readonly theirs: (
    match: readonly string[],
    error: Pick<KilnError, "message" | "at" | "details">,
  ) => string;
}

/** What went wrong before anything was known of the step. */
const uncached = "failed to load cache key: ";

const wordings: readonly Wording[] = [
  {
    code: "UNSUPPORTED",
    ours: /^there is no output type "(.*)"$/,
    theirs: ([, type]) => `exporter "${type}" could not be found`,
  },
  {
    code: "UNSUPPORTED",
    ours: /^there is no cache type "(.*)"$/,
    theirs: ([, type]) => `unknown cache exporter: "${type}"`,
  },
  {
    code: "DOCKERFILE_NOT_FOUND",
    ours: /^there is no (.*) in the build context$/,
    theirs: ([, name]) => `failed to read dockerfile: open ${name}: no such file or directory`,
  },
  {
    code: "COPY_NOT_FOUND",
    ours: /^"(?:.*)": not found/,
    theirs: (_, { message, details }) =>
      `failed to compute cache key: failed to calculate checksum of ref ${details["vertex"] ?? "context"}: ${message}`,
  },
  {
    code: "IMAGE_NOT_FOUND",
    ours: /^([^ ]+): the registry has no such image$/,
    theirs: ([, name]) => `failed to resolve source metadata for ${name}: ${name}: not found`,
  },
  {
    code: "REGISTRY_UNREACHABLE",
    ours: /^looking up ([^ ]+): (.*)$/s,
    theirs: ([, name, why]) =>
      `failed to resolve source metadata for ${name}: failed to do request: ${why}`,
  },
  {
    code: "PLATFORM_NOT_OFFERED",
    ours: /^([^ ]+) is not offered for /,
    theirs: ([, name]) =>
      `failed to resolve source metadata for ${name}: no match for platform in manifest: not found`,
  },
  {
    code: "HTTP_FAILED",
    ours: /^downloading .*: the server.* answered (\d+).*$/,
    theirs: ([, status]) => `${uncached}invalid response status ${status}`,
  },
  {
    code: "CHECKSUM_MISMATCH",
    ours: /^[^ ]+ has checksum ([^ ]+), not ([^ ]+)$/,
    theirs: ([, found, wanted]) => `digest mismatch ${found}: ${wanted}`,
  },
  {
    code: "GIT_FAILED",
    ours: /^[^ ]+ has no branch or tag (".*")$/,
    theirs: ([, name = '""']) =>
      `${uncached}repository does not contain ref ${JSON.parse(name)}, output: ""`,
  },
  {
    code: "GIT_FAILED",
    ours: /^.* is commit (\w+), not (\w+) as the checksum demands$/,
    theirs: ([, found, wanted]) => `expected checksum to match ${wanted}, got ${found}`,
  },
  {
    code: "GIT_FAILED",
    ours: /^[^ ]+ has no directory (".*")$/,
    theirs: ([, name = '""']) =>
      `invalid subdir /${JSON.parse(name)}: failed to lstat ${name}: no such file or directory`,
  },
  {
    code: "EXPORT_FAILED",
    ours: /^(.*) of ([^ ]+) would be overwritten by that of ([^ ]+)$/s,
    theirs: ([, path, one, other]) =>
      `cannot overwrite ${path} from ${one} with ${other} when split option is disabled`,
  },
  {
    code: "UNSUPPORTED",
    ours: /^an archive for docker load holds one platform only$/,
    theirs: () => "docker exporter does not currently support exporting manifest lists",
  },
  {
    code: "FLAG_INVALID",
    ours: /^an image of one platform has no index to annotate$/,
    theirs: () => "index annotations not supported for single platform export",
  },
  {
    code: "SECRET_NOT_FOUND",
    ours: /^(secret .*: not found): it was not given to this build$/,
    theirs: ([, words]) => `${words}`,
  },
  {
    code: "SSH_FAILED",
    ours: /^no SSH agent "(?:default|(.*))" was offered to this build$/,
    theirs: ([, id = ""]) => `no SSH key "${id}" forwarded from the client`,
  },
  ...sourceWordings,
  {
    code: "DOCKERFILE_INVALID",
    ours: /^build checks failed, and this file asks for that to be an error: (.*)$/,
    theirs: ([, rules]) => `lint violation found for rules: ${rules}`,
  },
  {
    code: "DOCKERFILE_INVALID",
    ours: /^/,
    theirs: (_, { message, at, details }) =>
      details["instruction"] && at
        ? `dockerfile parse error on line ${at.statement?.[0] ?? at.line}: ${message}`
        : message,
  },
];

/** BuildKit has no hints: what its messages end with where a word was misspelt. Names of flags have no dashes there. */
function suggestion(hint = ""): string {
  const [, quoted, bare = quoted] =
    /^Did you mean (?:"([^"]+)"|(?:the stage )?(\S+))\?$/.exec(hint) ?? [];
  return bare === undefined ? "" : ` (did you mean ${bare.replace(/^--/, "")}?)`;
}

/** The message that goes over the wire; Kiln's own goes along among the details. */
export function wireWords(error: KilnError): string {
  const { code, message, hint } = error;
  for (const { code: known, ours, theirs } of wordings) {
    const match = known === code ? ours.exec(message) : null;
    if (match) return `${theirs(match, error)}${suggestion(hint)}`;
  }
  return `${message}${suggestion(hint)}`;
}

/** The message of a failed step, of which nothing else is known. */
export function wireStepWords(message: string, vertex: string): string {
  for (const { ours, theirs } of wordings) {
    const match = ours.exec(message);
    if (match) return theirs(match, { message, details: { vertex } });
  }
  return message;
}
