// What an http source asks for: the URL and its attributes (BuildKit source/http, features.md D-34).
import { KilnError } from "../../../base/index.ts";
import type { SourceId } from "../source.ts";

/** What the one file is to be. */
export interface FileShape {
  /** Empty: whatever the source says. */
  readonly filename: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface HttpRequest extends FileShape {
  readonly url: URL;
  readonly checksum: HttpChecksum | undefined;
  /** Who must have signed the file. */
  readonly signature: HttpSignature | undefined;
  /** Id of the secret that is sent as `Authorization`; undefined tries those of the host. */
  readonly authSecret: string | undefined;
  /** Further request headers, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A detached OpenPGP signature, and the keys of which one must have made it. */
export interface HttpSignature {
  readonly keys: Uint8Array;
  readonly signature: Uint8Array;
}

/** `sha256:…`, `sha384:…` or `sha512:…`. */
export interface HttpChecksum {
  readonly algorithm: "sha256" | "sha384" | "sha512";
  readonly text: string;
}

const defaultMode = 0o600;
const longestUrl = 16 * 1024;
const headerPrefix = "http.header.";
/** BuildKit passes on these and drops the others without a word. */
const headersPassedOn: ReadonlySet<string> = new Set(["accept", "user-agent"]);

/** Throws `DEFINITION_INVALID` for values that make no sense. */
export function parseHttpRequest(id: SourceId): HttpRequest {
  const { attrs } = id;
  const auth = attrs["http.authheadersecret"];
  return {
    url: parseUrl(`${id.scheme}://${id.rest}`),
    checksum: parseChecksum(attrs["http.checksum"]),
    signature: parseSignature(attrs["http.sig.pubkey"], attrs["http.sig.signature"]),
    ...parseFileShape(attrs),
    authSecret: auth === "" ? undefined : auth,
    headers: Object.fromEntries(
      Object.entries(attrs)
        .filter(([name]) => name.startsWith(headerPrefix))
        .map(([name, value]): [string, string] => [
          name.slice(headerPrefix.length).toLowerCase(),
          checkedHeader(name, value),
        ])
        .filter(([name]) => headersPassedOn.has(name)),
    ),
  };
}

/** `http.filename`, `http.perm`, `http.uid`, `http.gid`. Throws `DEFINITION_INVALID` for values that make no sense. */
export function parseFileShape(attrs: SourceId["attrs"]): FileShape {
  return {
    filename: attrs["http.filename"] ?? "",
    mode: parseNumber("http.perm", attrs["http.perm"], 0o7777) || defaultMode,
    uid: parseNumber("http.uid", attrs["http.uid"], 2 ** 32 - 2),
    gid: parseNumber("http.gid", attrs["http.gid"], 2 ** 32 - 2),
  };
}

function parseUrl(text: string): URL {
  const url = text.length <= longestUrl && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.hostname && /^https?:$/.test(url.protocol)) return url;
  throw invalid(`${JSON.stringify(text.slice(0, 200))} is not an http or https URL`);
}

function parseChecksum(text: string | undefined): HttpChecksum | undefined {
  if (!text) return undefined;
  const match = /^(?:(sha256):[a-f0-9]{64}|(sha384):[a-f0-9]{96}|(sha512):[a-f0-9]{128})$/.exec(
    text,
  );
  const algorithm = (match?.[1] ?? match?.[2] ?? match?.[3]) as
    | HttpChecksum["algorithm"]
    | undefined;
  if (algorithm) return { algorithm, text };
  throw invalid(`http.checksum ${JSON.stringify(text.slice(0, 200))} is not a digest`);
}

/** One without the other would check nothing, and so would an empty one. */
function parseSignature(
  keys: string | undefined,
  signature: string | undefined,
): HttpSignature | undefined {
  if (keys === undefined && signature === undefined) return undefined;
  if (!keys || !signature)
    throw invalid("http.sig.pubkey and http.sig.signature are of use only together");
  const text = new TextEncoder();
  return { keys: text.encode(keys), signature: text.encode(signature) };
}

/** As Go reads numbers of base 0: `0600` and `0o600` are octal, `0x180` is hexadecimal. */
function parseNumber(name: string, text: string | undefined, most: number): number {
  if (!text) return 0;
  const octal = /^0o?([0-7]{1,12})$/.exec(text)?.[1];
  const plain = /^(?:0|[1-9]\d{0,10}|0x[0-9a-fA-F]{1,9})$/.test(text);
  const value = octal !== undefined ? Number.parseInt(octal, 8) : plain ? Number(text) : -1;
  if (value >= 0 && value <= most) return value;
  throw invalid(`${name}=${JSON.stringify(text.slice(0, 200))} is not valid`);
}

function checkedHeader(name: string, value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw invalid(`the value of ${name.slice(0, 200)} cannot be sent as a header`);
}

function invalid(message: string): KilnError {
  return new KilnError("DEFINITION_INVALID", message);
}
