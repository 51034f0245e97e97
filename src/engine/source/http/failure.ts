// What people are told when a file cannot be downloaded.
import { KilnError } from "../../../base/index.ts";
import {
  failureWords,
  isUnknownAuthority,
  type NetworkFailure,
} from "../../../storage/http/index.ts";

/** Node's own table is behind a module that takes longer to load than most files to download. */
const words: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  410: "Gone",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** For an attempt without an answer. */
export function unreachableUrl(failure: NetworkFailure, url: URL): KilnError {
  const hint = isUnknownAuthority(failure)
    ? "Name its authority's certificate in SSL_CERT_FILE or NODE_EXTRA_CA_CERTS, or with ca = below its host in kiln.toml."
    : failure.code === "ENOTFOUND" || failure.code === "EAI_AGAIN"
      ? "Check the name, the network and the proxy settings."
      : undefined;
  return new KilnError(
    "HTTP_FAILED",
    `downloading ${url.href}: cannot reach ${url.host}: ${failureWords(failure)}`,
    { cause: failure.cause ?? failure, ...(hint === undefined ? {} : { hint }) },
  );
}

/** For an answer that is not the file. `from` is what answered, after redirects. */
export function refusedUrl(status: number, url: URL, from: URL): KilnError {
  const elsewhere = from.host === url.host ? "" : ` of ${from.host}`;
  const hint = hintFor(status, url);
  return new KilnError(
    "HTTP_FAILED",
    `downloading ${url.href}: the server${elsewhere} answered ${status} ${words[status] ?? ""}`.trimEnd(),
    { details: { status }, ...(hint === undefined ? {} : { hint }) },
  );
}

function hintFor(status: number, url: URL): string | undefined {
  if (status === 401 || status === 403) {
    return `Give a token with --secret id=HTTP_AUTH_TOKEN_${url.hostname},env=VARIABLE.`;
  }
  if (status === 404 || status === 410) return "Check the address for mistakes.";
  if (status >= 300 && status < 400) return "Write the address that it leads to.";
  return undefined;
}

/** For a file that is not the one that was asked for. */
export function wrongChecksum(url: URL, wanted: string, found: string): KilnError {
  return new KilnError("CHECKSUM_MISMATCH", `${url.href} has checksum ${found}, not ${wanted}`, {
    hint: "If the new file is the right one, write its checksum; else somebody changed what you trusted.",
  });
}
