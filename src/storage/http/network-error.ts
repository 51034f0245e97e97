// The border with Node's network stack: which failures are worth another attempt, and the words for them.
/** An attempt that ended without a usable answer. `code` is Node's or ours. */
export class NetworkFailure extends Error {
  readonly code: string;
  /** True when a kept-alive connection turned out to be gone: the server has not seen the request. */
  readonly stale: boolean;

  constructor(code: string, message: string, options: { cause?: unknown; stale?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.name = "NetworkFailure";
    this.code = code;
    this.stale = options.stale ?? false;
  }
}

const temporary = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "ETIMEDOUT",
  "CONNECT_TIMEOUT",
  "EPIPE",
  "EAI_AGAIN",
  "ENETUNREACH",
  "ENETDOWN",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

const certificateProblems = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_UNTRUSTED",
]);

const words: Readonly<Record<string, string>> = {
  ECONNRESET: "the connection was cut",
  ECONNREFUSED: "connection refused",
  EPIPE: "the connection was cut",
  ETIMEDOUT: "no answer in time",
  CONNECT_TIMEOUT: "no connection in time",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name could not be looked up",
  ENETUNREACH: "the network is unreachable",
  EHOSTUNREACH: "the host is unreachable",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

/** Wraps what Node's http, TLS or socket code threw. */
export function toNetworkFailure(error: unknown, stale: boolean): NetworkFailure {
  if (error instanceof NetworkFailure) return error;
  const { code, message } = firstOf(error);
  return new NetworkFailure(code, message, { cause: error, stale });
}

/** True when the same request may well succeed a little later. */
export function isTemporary(failure: NetworkFailure): boolean {
  return temporary.has(failure.code);
}

/** True when the server's certificate is of an authority that is not known. */
export function isUnknownAuthority({ code }: NetworkFailure): boolean {
  return certificateProblems.has(code);
}

/** True when the other side speaks TLS where plain http was tried, or the other way round. */
export function isSchemeMismatch(failure: NetworkFailure): boolean {
  const { code } = failure;
  // Without a port, the two are on ports of their own.
  return code.startsWith("HPE_") || ["EPROTO", "ECONNRESET", "ECONNREFUSED"].includes(code);
}

/** Why it failed, in words: `connection refused`. */
export function failureWords(failure: NetworkFailure): string {
  return words[failure.code] ?? failure.message;
}

function firstOf(error: unknown): { readonly code: string; readonly message: string } {
  // Node reports one error for each address that it tried.
  const first =
    error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  if (!(first instanceof Error)) return { code: "UNKNOWN", message: String(first) };
  const { code } = first as NodeJS.ErrnoException;
  if (code !== undefined) return { code, message: first.message };
  return { code: first.message === "aborted" ? "ECONNRESET" : "UNKNOWN", message: first.message };
}
