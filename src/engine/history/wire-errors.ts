// A failed build's error as the reference sends it: code, words, and typed details that clients print excerpts from.
import {
  type Digest,
  type ErrorCategory,
  isAbortError,
  isKilnError,
  type KilnError,
} from "../../base/index.ts";
import { errdefs, type rpc, rpcDetails } from "../../formats/proto/index.ts";

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

/** How the reference names its own details, which are protobuf in spite of the ending. */
const detailUrl = (name: string) => `github.com/moby/buildkit/errdefs.${name}+json`;

/** `failed` is the step that the error is of, where it is of one. */
export function wireError(error: unknown, failed?: Digest): rpc.Status {
  if (isAbortError(error)) return { code: 1, message: "context canceled", details: [] };
  if (!isKilnError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: 2, message, details: [] };
  }
  return {
    code: codes[error.category],
    message: error.message,
    details: [
      ...(failed ? [vertexDetail(failed)] : []),
      ...[error, ...error.others].flatMap(sourceDetails),
      ownDetail(error),
    ],
  };
}

function vertexDetail(digest: Digest): rpc.Status["details"][number] {
  return { typeUrl: detailUrl("Vertex"), value: errdefs.Vertex.encode({ digest }).finish() };
}

/** The file with the places in it; only with its text can an excerpt be printed. */
function sourceDetails({ at }: KilnError): rpc.Status["details"] {
  if (at?.text === undefined) return [];
  const source = errdefs.Source.create({
    info: { filename: at.file, data: new TextEncoder().encode(at.text), language: "Dockerfile" },
    ranges: [
      {
        start: { line: at.line, character: Math.max(0, (at.column ?? 1) - 1) },
        end: { line: at.endLine ?? at.line, character: Math.max(0, (at.endColumn ?? 1) - 1) },
      },
    ],
  });
  return [{ typeUrl: detailUrl("Source"), value: errdefs.Source.encode(source).finish() }];
}

/** Kiln's own code and hint, for a Kiln on the other side. */
function ownDetail({ code, hint }: KilnError): rpc.Status["details"][number] {
  const metadata = new Map(hint === undefined ? [] : [["hint", hint] as const]);
  return {
    typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
    value: rpcDetails.ErrorInfo.encode({ reason: code, domain: "kiln", metadata }).finish(),
  };
}
