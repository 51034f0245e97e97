// Proving who asks: remembers each host's challenge and its tokens, and answers anew whenever one is refused.
import { type Call, Once } from "../../base/index.ts";
import { type Challenge, chooseChallenge } from "./challenge.ts";
import type { RegistryCredentials, RegistryOptions } from "./registry.ts";
import { basic, fetchToken, lentToken, type SendToRealm, type Token } from "./token.ts";

/** Who is asked, and for what. */
export interface AuthTarget {
  /** The server: challenges and tokens are kept by its origin. */
  readonly registry: URL;
  /** As names spell it: whose credentials to use. */
  readonly host: string;
  /** `repository:library/busybox:pull` and the like. */
  readonly scopes: readonly string[];
}

/** Credentials are asked for again after this time (milliseconds): CI systems hand out short-lived ones. */
const credentialsLifetime = 5 * 60_000;

export interface AuthenticatorExtras {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** With it, token servers are asked for a token to keep as well, which is handed to it. */
  readonly onRefreshToken?: (token: string) => void;
}

export class Authenticator {
  readonly #options: Pick<RegistryOptions, "credentials" | "token">;
  readonly #send: SendToRealm;
  readonly #now: () => number;
  readonly #onRefreshToken: ((token: string) => void) | undefined;
  readonly #challenges = new Map<string, Challenge>();
  readonly #tokens = new Map<string, Token>();
  readonly #fetching = new Once<string, Token | undefined>();
  readonly #asking = new Once<string, RegistryCredentials | undefined>();
  readonly #credentials = new Map<
    string,
    { readonly value: RegistryCredentials | undefined; readonly goodUntil: number }
  >();

  constructor(
    options: Pick<RegistryOptions, "credentials" | "token">,
    send: SendToRealm,
    { now = Date.now, onRefreshToken }: AuthenticatorExtras = {},
  ) {
    this.#options = options;
    this.#send = send;
    this.#now = now;
    this.#onRefreshToken = onRefreshToken;
  }

  /** The Authorization header to send at first; undefined as long as the host has not asked for one. */
  async authorization(target: AuthTarget, call: Call): Promise<string | undefined> {
    const challenge = this.#challenges.get(target.registry.origin);
    return challenge && this.#header(target, challenge, target.scopes, call);
  }

  /**
   * The header to try after a 401, given the challenge that came with it and the header that was refused. Undefined when
   * there is nothing better to send.
   */
  async answer(
    target: AuthTarget,
    challengeHeader: string | undefined,
    refused: string | undefined,
    call: Call,
  ): Promise<string | undefined> {
    const challenge = chooseChallenge(challengeHeader);
    if (!challenge) return undefined;
    this.#challenges.set(target.registry.origin, challenge);
    const scopes = mergeScopes([
      ...target.scopes,
      ...(challenge.parameters["scope"] ?? "").split(" "),
    ]);
    if (refused !== undefined)
      this.#forget(target, challenge, [scopes, mergeScopes(target.scopes)], refused);
    const header = await this.#header(target, challenge, scopes, call);
    return header === refused ? undefined : header;
  }

  async #header(
    target: AuthTarget,
    challenge: Challenge,
    scopes: readonly string[],
    call: Call,
  ): Promise<string | undefined> {
    const merged = mergeScopes(scopes);
    const key = tokenKey(target, challenge, merged);
    const bearer = challenge.scheme !== "basic";
    const known = this.#tokens.get(key);
    if (bearer && known && known.goodUntil > this.#now()) return `Bearer ${known.value}`;
    if (bearer && this.#options.token) {
      const lent = await this.#fetching.run(
        key,
        (shared) => this.#lent(target, challenge, merged, shared),
        call,
      );
      if (lent) {
        this.#tokens.set(key, lent);
        return `Bearer ${lent.value}`;
      }
    }
    const credentials = await this.#credentialsOf(target.host, call);
    if (credentials?.registryToken) return `Bearer ${credentials.registryToken}`;
    if (!bearer) {
      const { username, password } = credentials ?? {};
      return username !== undefined && password !== undefined
        ? basic(username, password)
        : undefined;
    }
    const request = {
      challenge,
      scopes: merged,
      credentials,
      registry: target.registry,
      now: this.#now,
      ...(this.#onRefreshToken ? { onRefreshToken: this.#onRefreshToken } : {}),
    };
    const token = await this.#fetching.run(
      key,
      (shared) => fetchToken(request, this.#send, shared),
      call,
    );
    if (!token) return undefined;
    this.#tokens.set(key, token);
    return `Bearer ${token.value}`;
  }

  /** From whoever lends tokens; undefined where nobody does. */
  async #lent(
    { registry, host }: AuthTarget,
    { parameters }: Challenge,
    scopes: readonly string[],
    call: Call,
  ): Promise<Token | undefined> {
    const { realm = "", service = "" } = parameters;
    const place = URL.canParse(realm, registry.href) ? new URL(realm, registry).href : realm;
    const lent = await this.#options.token?.({ host, realm: place, service, scopes }, call);
    return lent && lentToken(lent, this.#now());
  }

  #forget(
    target: AuthTarget,
    challenge: Challenge,
    scopeSets: readonly (readonly string[])[],
    refused: string,
  ): void {
    for (const scopes of scopeSets) {
      const key = tokenKey(target, challenge, scopes);
      if (`Bearer ${this.#tokens.get(key)?.value}` === refused) this.#tokens.delete(key);
    }
  }

  async #credentialsOf(host: string, call: Call): Promise<RegistryCredentials | undefined> {
    const known = this.#credentials.get(host);
    if (known && known.goodUntil > this.#now()) return known.value;
    const value = await this.#asking.run(
      host,
      (shared) => this.#options.credentials(host, shared),
      call,
    );
    this.#credentials.set(host, { value, goodUntil: this.#now() + credentialsLifetime });
    return value;
  }
}

function tokenKey(
  target: AuthTarget,
  { parameters }: Challenge,
  scopes: readonly string[],
): string {
  return JSON.stringify([
    target.registry.origin,
    target.host,
    parameters["realm"],
    parameters["service"],
    scopes,
  ]);
}

/** Each resource once, with all actions wanted of it, in a fixed order. */
export function mergeScopes(scopes: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes.filter(Boolean)) {
    const colon = scope.lastIndexOf(":");
    const resource = scope.slice(0, colon);
    const known = actions.get(resource) ?? new Set();
    for (const action of scope.slice(colon + 1).split(",")) known.add(action);
    actions.set(resource, known);
  }
  return [...actions]
    .map(([resource, wanted]) => `${resource}:${[...wanted].sort().join(",")}`)
    .sort();
}
