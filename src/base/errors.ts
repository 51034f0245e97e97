// The one error class that users may see, its code table, and the words for what went wrong on the way.

/** How an error is classed on the wire; one-to-one with gRPC status codes. */
export type ErrorCategory =
  | "invalid-argument"
  | "not-found"
  | "already-exists"
  | "permission-denied"
  | "unauthenticated"
  | "resource-exhausted"
  | "failed-precondition"
  | "unavailable"
  | "unimplemented"
  | "internal"
  | "unknown";

/**
 * Every code that a user can meet, with its category and what it means. Codes are stable: docs/errors.md lists them,
 * and a test compares the two.
 */
export const errorCodes = {
  ARCHITECTURE_MISMATCH: [
    "failed-precondition",
    "The result has programs that are built for another processor than its platform's.",
  ],
  ARCHIVE_INVALID: [
    "invalid-argument",
    "A tar archive or compressed stream is malformed or exceeds a limit.",
  ],
  BAKE_DENIED: [
    "permission-denied",
    "A bake file asks for files or privileges that were not allowed.",
  ],
  BAKE_INVALID: ["invalid-argument", "A bake file, or what was asked of it, has mistakes."],
  BAKE_NOT_FOUND: ["not-found", "A bake file does not exist, or there is none."],
  BINFMT_FAILED: ["permission-denied", "The kernel's table of emulators could not be changed."],
  BLOB_CORRUPT: ["internal", "Bytes do not have the digest or size that was promised for them."],
  BLOB_NOT_FOUND: ["not-found", "A blob is not where it was looked for."],
  BUILDER_FAILED: ["internal", "A builder's driver could not start, stop or change what it runs."],
  BUILDER_INVALID: ["invalid-argument", "A builder cannot be made or changed as was asked."],
  BUILDER_NOT_FOUND: ["not-found", "There is no builder of that name."],
  BUILDER_UNREACHABLE: ["unavailable", "A builder, or what runs it, could not be reached."],
  CACHE_FAILED: ["unavailable", "A cache could not be written where it was asked for."],
  CACHE_INVALID: ["invalid-argument", "A cache from elsewhere is not what it should be."],
  CHECKSUM_MISMATCH: [
    "failed-precondition",
    "A downloaded file is not the one that a checksum demands.",
  ],
  CONFIG_INVALID: ["invalid-argument", "A configuration file cannot be read as what it should be."],
  CONTEXT_CHANGED: [
    "failed-precondition",
    "A file of the build context changed while it was being read.",
  ],
  CONTEXT_NOT_FOUND: ["not-found", "The build context does not exist or is not a directory."],
  COPY_NOT_FOUND: ["not-found", "A COPY or ADD source matches no file."],
  CREDENTIALS_FAILED: ["unauthenticated", "A credential helper failed or answered nonsense."],
  DAEMON_RUNNING: ["already-exists", "Another daemon uses the same state directory."],
  DEFINITION_INVALID: [
    "invalid-argument",
    "An LLB definition is malformed or uses what is not supported.",
  ],
  DEVICE_NOT_FOUND: ["not-found", "A step needs a device that is not described on this machine."],
  DIGEST_INVALID: ["invalid-argument", "A digest is not of the form sha256:<64 hex>."],
  DISK_FULL: ["resource-exhausted", "The disk that holds Kiln's data is full."],
  DOCKER_FAILED: ["internal", "The docker engine answered with an error."],
  DOCKERFILE_INVALID: ["invalid-argument", "The Dockerfile has mistakes."],
  DOCKERFILE_NOT_FOUND: ["not-found", "The Dockerfile does not exist."],
  EMULATOR_CRASHED: [
    "unknown",
    "A RUN step failed because its emulator, or a program under it, crashed.",
  ],
  EMULATOR_MISSING: ["failed-precondition", "No emulator runs programs of a wanted platform here."],
  ENTITLEMENT_MISSING: [
    "permission-denied",
    "A step asks for a privilege that the build was not allowed.",
  ],
  EXPORT_FAILED: ["internal", "The result could not be written where it was asked for."],
  FIX_FAILED: ["failed-precondition", "A command that was to put something right did not succeed."],
  FLAG_INVALID: ["invalid-argument", "A command-line flag or argument is wrong."],
  FRONTEND_FAILED: [
    "unknown",
    "A frontend in an image ended without a result, or answered what makes no sense.",
  ],
  GIT_FAILED: [
    "unavailable",
    "A git repository could not be reached, or does not have what was asked for.",
  ],
  HTTP_FAILED: ["unavailable", "A file could not be downloaded."],
  IMAGE_INVALID: ["invalid-argument", "An image's manifest or configuration is malformed."],
  IMAGE_NOT_FOUND: ["not-found", "The registry does not have the image."],
  ISOLATION_UNAVAILABLE: [
    "failed-precondition",
    "The wanted way of keeping a build apart from the machine does not work here.",
  ],
  NETWORK_FAILED: ["failed-precondition", "A RUN step could not be given the network it needs."],
  NOT_REPRODUCIBLE: [
    "failed-precondition",
    "The same build, run twice, gave two different images.",
  ],
  PATH_INVALID: ["invalid-argument", "A path inside an image or context cannot be resolved."],
  PATTERN_INVALID: [
    "invalid-argument",
    "A pattern of a .dockerignore file or of --exclude is malformed.",
  ],
  PERMISSION_DENIED: ["permission-denied", "The operating system refused an action."],
  PLATFORM_INVALID: [
    "invalid-argument",
    "A platform is not of the form os/architecture[/variant].",
  ],
  PLATFORM_NOT_OFFERED: ["not-found", "An image does not exist for a wanted platform."],
  PROCESS_FAILED: ["unknown", "A RUN step's process ended with a failure."],
  PROGRAM_FOREIGN: [
    "failed-precondition",
    "A RUN step's program was built for a processor that does not run here.",
  ],
  PROGRAM_MISSING: ["failed-precondition", "A program that is needed is not installed."],
  RECORD_NOT_FOUND: ["not-found", "There is no record of such a build."],
  REFERENCE_INVALID: ["invalid-argument", "An image name is malformed."],
  REGISTRY_DENIED: ["permission-denied", "The registry refused the credentials or the action."],
  REGISTRY_FAILED: [
    "unavailable",
    "The registry answered with an error or not as the protocol says.",
  ],
  REGISTRY_UNREACHABLE: ["unavailable", "The registry could not be reached."],
  REMOTE_FAILED: ["unknown", "A builder answered with an error that says no more."],
  REQUEST_INVALID: [
    "invalid-argument",
    "A request to a builder is malformed or contradicts itself.",
  ],
  RUNTIME_MISSING: ["failed-precondition", "No container runtime (crun or runc) was found."],
  RUNTIME_FAILED: ["internal", "The container runtime could not start a step."],
  SECRET_NOT_FOUND: ["not-found", "A step needs a secret that was not given to the build."],
  SIGNATURE_INVALID: [
    "failed-precondition",
    "A signature does not show that a trusted key signed what was fetched.",
  ],
  SNAPSHOT_FAILED: ["internal", "A file system snapshot could not be made, mounted or read."],
  SSH_FAILED: ["failed-precondition", "An SSH agent or key could not be lent to the build."],
  SOURCE_DENIED: ["permission-denied", "A source policy does not allow a source of the build."],
  STEP_NOT_CACHED: [
    "failed-precondition",
    "A step had to run in a build that was to find everything in the cache (--expect-cached).",
  ],
  STORE_CORRUPT: ["internal", "Kiln's own data is damaged."],
  TEMPLATE_INVALID: ["invalid-argument", "A Go template of --format cannot be read or run."],
  UNSUPPORTED: ["unimplemented", "What was asked for is not supported."],
  USER_NOT_FOUND: [
    "not-found",
    "An image's passwd or group file lacks a user or group that is asked for.",
  ],
} as const;

/** A stable name for one kind of failure. */
export type ErrorCode = keyof typeof errorCodes;

/** A place in a user's file; lines and columns count from 1, `endColumn` is exclusive. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  readonly endLine?: number;
  readonly endColumn?: number;
  /** First and last line of the statement that the place is a part of, where that is known and has more lines. */
  readonly statement?: readonly [first: number, last: number];
  /** All of its pieces, first and last line of each, where they are several. */
  readonly pieces?: readonly (readonly [first: number, last: number])[];
  /** What the file was read from, as the message `pb.Definition`. */
  readonly origin?: Uint8Array;
  /** The file's whole text, when the thrower has it: the command prints the excerpt from it. */
  readonly text?: string;
}

export interface KilnErrorOptions {
  readonly cause?: unknown;
  /** What to do about it: imperative, one sentence. */
  readonly hint?: string;
  readonly at?: SourcePlace;
  /** Further failures of the same run, oldest first: all are shown. */
  readonly others?: readonly KilnError[];
  readonly details?: Readonly<Record<string, string | number>>;
}

/**
 * A failure that a user can meet: what failed (message), why (cause), where (`at`), what to do (`hint`), and a stable
 * code. Programmer errors stay plain `Error`s and are shown as bugs. The message never holds credentials: it is redacted
 * on the way in.
 */
export class KilnError extends Error {
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly at?: SourcePlace;
  readonly others: readonly KilnError[];
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, message: string, options: KilnErrorOptions = {}) {
    super(redact(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "KilnError";
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.at !== undefined) this.at = options.at;
    this.others = options.others ?? [];
    this.details = options.details ?? {};
  }

  get category(): ErrorCategory {
    const [category]: readonly [ErrorCategory, string] = errorCodes[this.code];
    return category;
  }
}

/** True for a `KilnError`, of one code if `code` is given. */
export function isKilnError(error: unknown, code?: ErrorCode): error is KilnError {
  return error instanceof KilnError && (code === undefined || error.code === code);
}

/**
 * Adds what we were doing to an error on its way up; once per floor. Keeps code, hint and place of a `KilnError`,
 * leaves cancellation and programmer errors as they are.
 */
export function wrap(error: unknown, doing: string): unknown {
  if (!isKilnError(error)) return error;
  return new KilnError(error.code, `${doing}: ${error.message}`, {
    cause: error.cause,
    others: error.others,
    details: error.details,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.at === undefined ? {} : { at: error.at }),
  });
}

/** The same error with further details; others than a `KilnError` pass unchanged. */
export function withDetails(error: unknown, details: KilnError["details"]): unknown {
  if (!isKilnError(error)) return error;
  return new KilnError(error.code, error.message, {
    cause: error.cause,
    others: error.others,
    details: { ...details, ...error.details },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.at === undefined ? {} : { at: error.at }),
  });
}

/** The border with Node: turns a system error (`code`, `path`, `syscall`) into a `KilnError`; others pass unchanged. */
export function fromNodeError(error: unknown, doing: string): unknown {
  if (!(error instanceof Error) || error instanceof KilnError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new KilnError("DISK_FULL", `${doing}: no space left on the disk`, {
      cause: error,
      hint: "Free some space, or point --root (KILN_ROOT) at a larger disk.",
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new KilnError("PERMISSION_DENIED", `${doing}: ${error.message}`, { cause: error });
  }
  return error;
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** Removes the user:password part of every URL in `text`, in one linear scan. */
export function redact(text: string): string {
  let out = "";
  let from = 0;
  for (let at = text.indexOf("://"); at !== -1; at = text.indexOf("://", at + 3)) {
    const start = at + 3;
    let end = start;
    let sign = -1;
    while (end < text.length && !isUrlEnd(text.charCodeAt(end))) {
      if (text[end] === "@") sign = end;
      end++;
    }
    if (sign === -1) continue;
    out += `${text.slice(from, start)}xxxxx`;
    from = sign;
  }
  return from === 0 ? text : out + text.slice(from);
}

function isUrlEnd(char: number): boolean {
  // White space, quotes, and what ends the authority part of a URL: "/", "?", "#".
  return (
    char <= 0x20 ||
    char === 0x22 ||
    char === 0x27 ||
    char === 0x2f ||
    char === 0x3f ||
    char === 0x23
  );
}
