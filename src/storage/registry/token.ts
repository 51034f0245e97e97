// Fetching bearer tokens (distribution-spec, token authentication): by GET with a password, by POST with a refresh token.
import { type Call, isRecord, KilnError } from "../../base/index.ts";
import { type HttpRequest, type HttpResponse, isLoopback } from "../http/index.ts";
import type { Challenge } from "./challenge.ts";
import { maxTokenBody, maxTokenLength } from "./limits.ts";
import type { LentToken, RegistryCredentials } from "./registry.ts";
import { registryError } from "./response-error.ts";

/** A token and until when (milliseconds since 1970) it is good. */
export interface Token {
  readonly value: string;
  readonly goodUntil: number;
}

export interface TokenRequest {
  readonly challenge: Challenge;
  /** Sorted, each once. */
  readonly scopes: readonly string[];
  readonly credentials: RegistryCredentials | undefined;
  /** The registry that asks for it. */
  readonly registry: URL;
  readonly now: () => number;
  /** With it, a refresh token is asked for beside, and handed to it where there is one. */
  readonly onRefreshToken?: (token: string) => void;
}

/** Sends one request to a token server, with retries, without following redirects to other hosts. */
export type SendToRealm = (
  request: HttpRequest,
  registry: URL,
  call: Call,
) => Promise<HttpResponse>;

const clientId = "kiln";
/** A token without a lifetime is good for a minute (distribution-spec). */
const defaultLifetime = 60;
/** Tokens are renewed when this part of their lifetime is over, so that they do not expire on the way. */
const usableShare = 0.8;

/** Throws `REGISTRY_DENIED` when the credentials are refused, `REGISTRY_FAILED` for answers that are not the protocol's. */
export async function fetchToken(
  wanted: TokenRequest,
  send: SendToRealm,
  call: Call,
): Promise<Token> {
  const realm = realmOf(wanted);
  const request = wanted.credentials?.identityToken
    ? refreshRequest(wanted, realm)
    : passwordRequest(wanted, realm);
  const response = await send(request, wanted.registry, call);
  if (response.status !== 200) {
    throw await registryError(
      response,
      { method: request.method, doing: "asking for a token", host: wanted.registry.host },
      call,
    );
  }
  return readToken(await response.readUpTo(maxTokenBody, call), wanted, realm);
}

/**
 * Credentials go to the realm as the protocol has it, so the realm must be reached over https; plain http will do only
 * where the registry itself is on this machine, or is reached over plain http at the same host.
 */
function realmOf({ challenge, registry }: TokenRequest): URL {
  const text = challenge.parameters["realm"] ?? "";
  const realm = URL.canParse(text, registry.href) ? new URL(text, registry) : undefined;
  if (realm?.protocol === "https:") return realm;
  const sameHost = realm?.hostname === registry.hostname && registry.protocol === "http:";
  const local = realm && isLoopback(realm.hostname) && isLoopback(registry.hostname);
  if (realm?.protocol === "http:" && (sameHost || local)) return realm;
  throw new KilnError(
    "REGISTRY_FAILED",
    `${registry.host} names a token server that is not safe to ask: ${text.slice(0, 200)}`,
  );
}

function passwordRequest(
  { challenge, scopes, credentials, onRefreshToken }: TokenRequest,
  realm: URL,
): HttpRequest {
  const url = new URL(realm);
  const { service } = challenge.parameters;
  if (service) url.searchParams.set("service", service);
  url.searchParams.delete("scope");
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const { username, password } = credentials ?? {};
  if (username === undefined || password === undefined) return { method: "GET", url, headers: {} };
  url.searchParams.set("account", username);
  if (onRefreshToken) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", clientId);
  }
  return { method: "GET", url, headers: { authorization: basic(username, password) } };
}

function refreshRequest({ challenge, scopes, credentials }: TokenRequest, url: URL): HttpRequest {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    service: challenge.parameters["service"] ?? "",
    client_id: clientId,
    scope: scopes.join(" "),
    refresh_token: credentials?.identityToken ?? "",
  });
  const bytes = new TextEncoder().encode(form.toString());
  return {
    method: "POST",
    url,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: {
      size: bytes.length,
      async *open() {
        yield bytes;
      },
    },
  };
}

function readToken(
  body: Uint8Array,
  { registry, now, onRefreshToken }: TokenRequest,
  realm: URL,
): Token {
  const nonsense = () =>
    new KilnError("REGISTRY_FAILED", `${realm.host} answered without a token for ${registry.host}`);
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw nonsense();
  }
  if (!isRecord(answer)) throw nonsense();
  const value = answer["token"] || answer["access_token"];
  // Only what may stand in a header (RFC 9110, 5.5).
  if (!isToken(value)) throw nonsense();
  const refresh = answer["refresh_token"];
  if (onRefreshToken && isToken(refresh)) onRefreshToken(refresh);
  const lifetime =
    typeof answer["expires_in"] === "number" ? answer["expires_in"] : defaultLifetime;
  return { value, goodUntil: now() + Math.max(lifetime, defaultLifetime) * 1000 * usableShare };
}

/** A token that somebody else fetched, with the care that ours get. Throws `REGISTRY_FAILED` for what is none. */
export function lentToken({ token, expiresIn, issuedAt }: LentToken, now: number): Token {
  if (!isToken(token))
    throw new KilnError("REGISTRY_FAILED", "the asking side lent something that is no token");
  const began = issuedAt && issuedAt.getTime() <= now ? issuedAt.getTime() : now;
  const lifetime = Number.isFinite(expiresIn) && expiresIn > 0 ? expiresIn : defaultLifetime;
  return { value: token, goodUntil: began + lifetime * 1000 * usableShare };
}

function isToken(value: unknown): value is string {
  return (
    typeof value === "string" && value.length <= maxTokenLength && /^[\x21-\x7e]+$/.test(value)
  );
}

/** The value of an Authorization header with name and password (RFC 7617). */
export function basic(username: string, password: string): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
}
