// Who may do what at the registry of the tests: basic authentication, or tokens from a realm of its own.
import type { IncomingMessage, ServerResponse } from "node:http";

export interface AuthRules {
  readonly kind: "basic" | "token";
  readonly username: string;
  readonly password: string;
  /** Accepted by the realm as a refresh token. */
  readonly identityToken?: string;
  /** Tokens without credentials for pulling. */
  readonly anonymousPull?: boolean;
  /** Another realm than the registry's own. */
  readonly realm?: string;
  /** Seconds. */
  readonly expiresIn?: number;
}

export interface Guard {
  /** Scopes of each token given out, in order. */
  readonly issued: readonly (readonly string[])[];
  /** All tokens given out so far are refused from now on. */
  revoke(): void;
  /** True when the request may go on; else it has been answered with 401. */
  admits(
    request: IncomingMessage,
    response: ServerResponse,
    scope: { repository: string; action: string },
  ): boolean;
  /** The realm. */
  giveToken(
    request: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
    form: string,
  ): void;
}

export function createGuard(rules: AuthRules | undefined, url: () => string): Guard {
  const tokens = new Map<string, readonly string[]>();
  const issued: (readonly string[])[] = [];
  const challenge = (response: ServerResponse, repository: string, action: string) => {
    const realm = rules?.realm ?? `${url()}/token`;
    const scope = repository === "" ? "" : `,scope="repository:${repository}:${action}"`;
    response.setHeader(
      "www-authenticate",
      rules?.kind === "basic"
        ? 'Basic realm="registry"'
        : `Bearer realm="${realm}",service="test"${scope}`,
    );
    const body = JSON.stringify({
      errors: [{ code: "UNAUTHORIZED", message: "authentication required" }],
    });
    response.writeHead(401, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
    return false;
  };
  return {
    issued,
    revoke: () => tokens.clear(),
    admits(request, response, { repository, action }) {
      if (!rules) return true;
      const header = request.headers.authorization ?? "";
      if (rules.kind === "basic")
        return header === basicOf(rules) || challenge(response, repository, action);
      const scopes = tokens.get(header.replace(/^Bearer /, ""));
      const wanted =
        repository === "" ? [] : action.split(",").map((one) => `${repository}:${one}`);
      if (scopes && wanted.every((one) => scopes.includes(one))) return true;
      return challenge(response, repository, action);
    },
    giveToken(request, response, query, form) {
      const asked = request.method === "POST" ? new URLSearchParams(form) : query;
      const known =
        request.method === "POST"
          ? asked.get("refresh_token") === rules?.identityToken
          : request.headers.authorization === (rules && basicOf(rules));
      const given = request.method === "POST" || request.headers.authorization !== undefined;
      if (!rules || (given && !known) || (!given && !rules.anonymousPull)) {
        response.writeHead(401, { "content-type": "application/json" });
        return void response.end(JSON.stringify({ details: "incorrect username or password" }));
      }
      const scopes = asked
        .getAll("scope")
        .flatMap((list) => list.split(" "))
        .filter(Boolean);
      issued.push(scopes);
      const token = `token-${issued.length}`;
      tokens.set(
        token,
        scopes.flatMap((scope) => grantsOf(scope, known)),
      );
      const field = request.method === "POST" ? "access_token" : "token";
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          [field]: token,
          expires_in: rules.expiresIn ?? 300,
          ...(known && asked.get("offline_token") === "true" && rules.identityToken
            ? { refresh_token: rules.identityToken }
            : {}),
        }),
      );
    },
  };
}

/** `a/b:pull` for each action; without credentials only pulling is granted. */
function grantsOf(scope: string, known: boolean): readonly string[] {
  const [, repository, actions = ""] = /^repository:(.*):([^:]*)$/.exec(scope) ?? [];
  const granted = actions.split(",").filter((action) => known || action === "pull");
  return granted.map((action) => `${repository}:${action}`);
}

function basicOf({ username, password }: AuthRules): string {
  return `Basic ${btoa(`${username}:${password}`)}`;
}
