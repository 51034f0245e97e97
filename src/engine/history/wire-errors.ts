// A failed build's error as the reference sends it: code, words, and typed details that clients print excerpts from. They
// are JSON of the messages of solver/errdefs/errdefs.proto.
import { Buffer } from "node:buffer";
import {
  type Digest,
  type ErrorCategory,
  isAbortError,
  isKilnError,
  type KilnError,
} from "../../base/index.ts";
import { type Definition, decodeDefinition, type SourceLocation } from "../../formats/llb/index.ts";
import { type rpc, rpcDetails } from "../../formats/proto/index.ts";
import { wireWords } from "./wire-words.ts";

/** gRPC's codes of our categories. */
const codes: Readonly<Record<ErrorCategory, number>> = {
  "invalid-argument": 3,
  "not-found": 5,
  "already-exists": 6,
  "permission-denied": 7,
  unauthenticated: 16,
  "resource-exhausted": 8,
  "failed-precondition": 9,
  unavailable: 14,
  unimplemented: 12,
  internal: 13,
  unknown: 2,
};

/**
 * BuildKit's own failures have no code, whose name clients would print before the message: only what somebody looks for by
 * its code keeps it.
 */
function codeOf({ category, code, details }: KilnError): number {
  const named = details["capability"] !== undefined || details["request"] !== undefined;
  const keeps = named || code === "REQUEST_INVALID" || code === "RECORD_NOT_FOUND";
  return keeps ? codes[category] : codes.unknown;
}

/** What is known of a failure besides its error. */
export interface FailureFacts {
  /** The step that it is of, where it is of one and does not say so itself. */
  readonly step?: Digest | undefined;
  /** Where a step was written, all of it: the error knows one place only. */
  readonly locations?: (step: string) => readonly SourceLocation[] | undefined;
}

export function wireError(error: unknown, facts: FailureFacts = {}): rpc.Status {
  if (isAbortError(error)) return { code: 1, message: "context canceled", details: [] };
  if (isStatus(error)) {
    const { code, message, details } = error;
    return { code, message, details: [...details] };
  }
  if (!isKilnError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: 2, message, details: [] };
  }
  const { vertex: digest = facts.step } = error.details;
  return {
    code: codeOf(error),
    message: wireWords(error),
    details: [
      ...(digest === undefined ? [] : [detail("Vertex", { digest })]),
      ...[error, ...error.others].flatMap((one) => sourceDetails(one, facts)),
      ...typedDetails(error),
      ownDetail(error),
    ],
  };
}

/** What else the reference's clients know by its type. */
function typedDetails({ details }: KilnError): readonly Detail[] {
  const { capability, request, frontend, frontendSource, exitCode } = details;
  const source = frontendSource === "" ? {} : { source: frontendSource };
  return [
    ...(capability === undefined ? [] : [detail("FrontendCap", { name: capability })]),
    ...(request === undefined ? [] : [detail("Subrequest", { name: request })]),
    ...(exitCode === undefined ? [] : [detail("ExitMessage", { Code: exitCode }, "gatewayapi")]),
    ...(frontend === undefined ? [] : [detail("Frontend", { name: frontend, ...source })]),
  ];
}

/** A status that came over the wire, from a client that drives its build, and goes back as it came. */
function isStatus(error: unknown): error is Error & rpc.Status {
  return (
    error instanceof Error &&
    error.name === "StatusError" &&
    "code" in error &&
    "details" in error &&
    Array.isArray(error.details)
  );
}

type Detail = rpc.Status["details"][number];

function detail(name: string, value: unknown, of = "errdefs"): Detail {
  return {
    typeUrl: `github.com/moby/buildkit/${of}.${name}+json`,
    value: new TextEncoder().encode(JSON.stringify(value)),
  };
}

/** The file with the places in it; only with its text can an excerpt be printed. */
function sourceDetails({ at, details }: KilnError, { locations }: FailureFacts): readonly Detail[] {
  const { vertex } = details;
  const known = typeof vertex === "string" ? locations?.(vertex) : undefined;
  // The last one first: so the reference wraps them.
  if (known && known.length > 0) return known.map(locationDetail).reverse();
  if (at?.text === undefined) return [];
  const place = (line: number, column: number | undefined) => ({
    line,
    ...(column === undefined || column <= 1 ? {} : { character: column - 1 }),
  });
  const start = place(at.line, at.column);
  const end = place(at.endLine ?? at.line, at.endColumn);
  const ranges = at.pieces?.map(([first, last]) => ({
    start: place(first, undefined),
    end: place(last, undefined),
  })) ?? [{ start, end }];
  const info = {
    filename: at.file,
    data: Buffer.from(at.text).toString("base64"),
    ...(at.origin ? { definition: definitionDetail(decodeDefinition(at.origin)) } : {}),
    language: "Dockerfile",
  };
  return [detail("Source", { info, ranges })];
}

function locationDetail({ file, ranges }: SourceLocation): Detail {
  const { filename, language, definition } = file;
  const info = {
    filename,
    data: Buffer.from(file.data).toString("base64"),
    ...(definition ? { definition: definitionDetail(definition) } : {}),
    language,
  };
  return detail("Source", { info, ranges });
}

function definitionDetail({ ops }: Definition): unknown {
  const metadata = ops.map(({ digest, metadata: { description, caps } }) => {
    return [digest, { description, caps: Object.fromEntries(caps.map((cap) => [cap, true])) }];
  });
  return {
    def: ops.map(({ bytes }) => Buffer.from(bytes).toString("base64")),
    metadata: Object.fromEntries(metadata),
  };
}

/** Kiln's own code, words and hint, for a Kiln on the other side. */
function ownDetail(error: KilnError): Detail {
  const { code, hint, message } = error;
  const metadata = new Map<string, string>();
  if (hint !== undefined) metadata.set("hint", hint);
  if (wireWords(error) !== message) metadata.set("message", message);
  return {
    typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
    value: rpcDetails.ErrorInfo.encode({ reason: code, domain: "kiln", metadata }).finish(),
  };
}
