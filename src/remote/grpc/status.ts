// How calls end: gRPC's status codes, and the borders between them and Kiln's own errors.
import {
  type ErrorCategory,
  type ErrorCode,
  errorCodes,
  isAbortError,
  isKilnError,
  KilnError,
} from "../../base/index.ts";
import { rpcDetails } from "../../formats/proto/index.ts";

/** gRPC's status codes by name (grpc/doc/statuscodes.md). */
export const statusCodes = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** A typed message in a place that takes any: google.protobuf.Any. */
export interface AnyMessage {
  /** `type.googleapis.com/` or `github.com/moby/buildkit/` and so on, with the message's full name or words for it. */
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** How a call ended, when it did not end well. */
export class StatusError extends Error {
  readonly code: number;
  readonly details: readonly AnyMessage[];

  constructor(code: number, message: string, details: readonly AnyMessage[] = []) {
    super(message);
    this.name = "StatusError";
    this.code = code;
    this.details = details;
  }
}

/** Carries Kiln's own code of an error to a Kiln on the other side. */
const errorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
const errorDomain = "kiln";

const codeOfCategory: Readonly<Record<ErrorCategory, number>> = {
  "invalid-argument": statusCodes.INVALID_ARGUMENT,
  "not-found": statusCodes.NOT_FOUND,
  "already-exists": statusCodes.ALREADY_EXISTS,
  "permission-denied": statusCodes.PERMISSION_DENIED,
  unauthenticated: statusCodes.UNAUTHENTICATED,
  "resource-exhausted": statusCodes.RESOURCE_EXHAUSTED,
  "failed-precondition": statusCodes.FAILED_PRECONDITION,
  unavailable: statusCodes.UNAVAILABLE,
  unimplemented: statusCodes.UNIMPLEMENTED,
  internal: statusCodes.INTERNAL,
  unknown: statusCodes.UNKNOWN,
};

/** Whatever was thrown, as the status that the other side is told. Messages of programmer errors go along: both sides are ours. */
export function asStatus(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (isKilnError(error)) {
    return new StatusError(codeOfCategory[error.category], error.message, [errorDetail(error)]);
  }
  if (isAbortError(error)) {
    const { name, message } = error as Error;
    const code = name === "TimeoutError" ? statusCodes.DEADLINE_EXCEEDED : statusCodes.CANCELLED;
    return new StatusError(code, message);
  }
  return new StatusError(
    statusCodes.UNKNOWN,
    error instanceof Error ? error.message : String(error),
  );
}

const kilnCodes: Readonly<Record<number, ErrorCode>> = {
  [statusCodes.INVALID_ARGUMENT]: "REQUEST_INVALID",
  [statusCodes.PERMISSION_DENIED]: "PERMISSION_DENIED",
  [statusCodes.UNIMPLEMENTED]: "UNSUPPORTED",
  [statusCodes.UNAVAILABLE]: "BUILDER_UNREACHABLE",
};

/** The border inwards: a status that came over the wire, as an error that users can meet. */
export function fromStatus(status: StatusError): KilnError {
  const told = status.details
    .flatMap(({ typeUrl, value }) => (typeUrl === errorInfoUrl ? [readErrorInfo(value)] : []))
    .find((one) => one !== undefined);
  const code = told?.code ?? kilnCodes[status.code] ?? "REMOTE_FAILED";
  return new KilnError(code, told?.message ?? status.message, {
    ...(told?.message === undefined ? { cause: status } : {}),
    ...(told?.hint ? { hint: told.hint } : {}),
  });
}

/** google.rpc.ErrorInfo { reason = 1, domain = 2, metadata = 3 } of Kiln's code and hint. */
function errorDetail({ code, hint }: KilnError): AnyMessage {
  const metadata = new Map(hint === undefined ? [] : [["hint", hint] as const]);
  const info = { reason: code, domain: errorDomain, metadata };
  return { typeUrl: errorInfoUrl, value: rpcDetails.ErrorInfo.encode(info).finish() };
}

interface ToldError {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Kiln's own words, where the status has BuildKit's. */
  readonly message: string | undefined;
}

function readErrorInfo(value: Uint8Array): ToldError | undefined {
  try {
    const { reason, domain, metadata } = rpcDetails.ErrorInfo.decode(value);
    if (domain !== errorDomain || !Object.hasOwn(errorCodes, reason)) return undefined;
    const [hint, message] = [metadata.get("hint"), metadata.get("message")];
    return { code: reason as ErrorCode, hint, message };
  } catch {
    return undefined;
  }
}

/** In the words in which Go's clients and servers write a status. */
export function describeStatus({ code, message }: StatusError): string {
  const [name] = Object.entries(statusCodes).find(([, value]) => value === code) ?? [`${code}`];
  const word =
    name === "CANCELLED"
      ? "Canceled"
      : name
          .split("_")
          .map((part) => part.charAt(0) + part.slice(1).toLowerCase())
          .join("");
  return `rpc error: code = ${word} desc = ${message}`;
}
