// The border with registries: turns an answer that is not a success into an error that says what and why.
import { type Call, type ErrorCode, isRecord, KilnError } from "../../base/index.ts";
import type { HttpResponse } from "../http/index.ts";
import { maxErrorBody, maxMessageLength } from "./limits.ts";

export interface FailedRequest {
  readonly method: string;
  /** What we were doing: "pushing a layer of example.com/app". */
  readonly doing: string;
  /** As names spell it: `docker.io`, not the server behind it. */
  readonly host: string;
}

/** One entry of the error list that the distribution protocol puts in bodies. */
export interface RegistryErrorEntry {
  readonly code: string;
  readonly message: string;
}

/** Reads the body and makes the error; always leaves the response done with. */
export async function registryError(
  response: HttpResponse,
  request: FailedRequest,
  call: Call,
): Promise<KilnError> {
  const entries = await readEntries(response, call);
  const code = codeFor(response.status, entries);
  const said = entries
    .map(({ code, message }) => [code, message].filter(Boolean).join(": "))
    .join("; ");
  const where = `${request.method} ${shownUrl(response.url)}`;
  const hint = hintFor(response.status, code, request.host, entries);
  const status = `status ${response.status}${said === "" ? "" : `, ${said}`}`;
  return new KilnError(
    code,
    `${request.doing}: ${request.host} ${verbFor(code)} (${where}: ${status})`,
    {
      ...(hint === undefined ? {} : { hint }),
      details: {
        status: response.status,
        method: request.method,
        url: shownUrl(response.url),
        ...(entries[0]?.code ? { registryCode: entries[0].code } : {}),
      },
    },
  );
}

/** Reads the error list of a body: at most 64 KiB, words made safe to print. Never throws but for cancellation. */
export async function readEntries(
  response: HttpResponse,
  call: Call,
): Promise<readonly RegistryErrorEntry[]> {
  let text: string;
  try {
    text = new TextDecoder().decode(await response.readUpTo(maxErrorBody, call));
  } catch {
    call.signal.throwIfAborted();
    return [];
  }
  const type = response.headers["content-type"] ?? "";
  try {
    return entriesOf(JSON.parse(text));
  } catch {
    const plain = type.startsWith("text/plain") ? printable(text) : "";
    return plain === "" ? [] : [{ code: "", message: plain }];
  }
}

/** Without credentials, signatures and upload state: scheme, host and path. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** One line without control characters, so that a registry cannot write to the terminal as it likes. */
export function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  return line.length > maxMessageLength ? `${line.slice(0, maxMessageLength)}...` : line;
}

function entriesOf(document: unknown): readonly RegistryErrorEntry[] {
  if (!isRecord(document)) return [];
  const { errors, error, error_description: description, message, details } = document;
  if (Array.isArray(errors)) {
    return errors
      .slice(0, 3)
      .filter(isRecord)
      .map((one) => entry(one["code"], one["message"]));
  }
  // Token servers answer in OAuth's form or in their own.
  return [entry(error, description ?? message ?? details)].filter(
    (one) => one.code !== "" || one.message !== "",
  );
}

function entry(code: unknown, message: unknown): RegistryErrorEntry {
  const text = (value: unknown) => (typeof value === "string" ? printable(value) : "");
  return { code: text(code), message: text(message) };
}

function codeFor(status: number, entries: readonly RegistryErrorEntry[]): ErrorCode {
  if (status === 401 || status === 403) return "REGISTRY_DENIED";
  const unknown = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN"];
  if (
    status === 404 &&
    (entries.length === 0 || entries.some(({ code }) => unknown.includes(code)))
  )
    return "IMAGE_NOT_FOUND";
  return "REGISTRY_FAILED";
}

function verbFor(code: ErrorCode): string {
  if (code === "REGISTRY_DENIED") return "denied access";
  return code === "IMAGE_NOT_FOUND" ? "does not have it" : "answered with an error";
}

function hintFor(
  status: number,
  code: ErrorCode,
  host: string,
  entries: readonly RegistryErrorEntry[],
): string | undefined {
  const login = host === "docker.io" ? "kiln login" : `kiln login ${host}`;
  if (status === 429 || entries.some((one) => one.code === "TOOMANYREQUESTS")) {
    return `The registry limits how often it may be asked: run \`${login}\`, set a mirror in kiln.toml, or try again later.`;
  }
  if (code !== "REGISTRY_DENIED") return undefined;
  return `Run \`${login}\` with an account that may do this, and check the name: some registries deny what does not exist.`;
}
