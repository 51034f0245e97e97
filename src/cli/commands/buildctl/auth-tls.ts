// --registry-auth-tlscontext: tokens for registries are fetched on this side, with the certificates that are named here.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Session } from "../../../api/index.ts";
import { cutPair, KilnError, parseBool, readCsv } from "../../../base/index.ts";
import { createRegistry, type RegistryHostConfig } from "../../../storage/registry/index.ts";
import { userAgent } from "../builders/client-config.ts";

/** Connections to token servers, by the registry's host. */
export type AuthContexts = ReadonlyMap<string, RegistryHostConfig>;

const keys = ["host", "insecure", "ca", "cert", "key"];

/** Reads the flag's values and the files they name; several of one host count together. Throws `FLAG_INVALID`. */
export function readAuthContexts(texts: readonly string[], cwd: string): AuthContexts {
  const contexts = new Map<string, RegistryHostConfig>();
  for (const text of texts) {
    const fields = new Map(readCsv(text).map((field) => pairOf(field)));
    const host = (fields.get("host") ?? "").replace(/^[a-z]+:\/\//, "");
    if (host === "") throw invalid("requires host=<host>");
    const [ca, cert, key] = ["ca", "cert", "key"].map((name) => fileOf(fields.get(name), cwd));
    if ((cert === undefined) !== (key === undefined))
      throw invalid("requires cert=<cert>,key=<key>");
    const insecure = parseBool(fields.get("insecure") ?? "false");
    if (insecure === undefined) throw invalid(`invalid insecure value ${fields.get("insecure")}`);
    if (!insecure && ca === undefined && cert === undefined)
      throw invalid("requires ca=<ca> or cert=<cert>,key=<key>");
    const before = contexts.get(host) ?? {};
    contexts.set(host, {
      ...before,
      ...(insecure ? { insecure } : {}),
      ...(ca === undefined ? {} : { ca: [...(before.ca ?? []), ca] }),
      ...(cert === undefined || key === undefined ? {} : { keyPair: { cert, key } }),
    });
  }
  return contexts;
}

function pairOf(field: string): readonly [string, string] {
  const pair = cutPair(field);
  if (!pair) throw invalid(`invalid value ${field}`);
  const key = pair[0].toLowerCase();
  if (!keys.includes(key)) throw invalid(`unexpected key ${key}`);
  return [key, pair[1]];
}

function fileOf(path: string | undefined, cwd: string): string | undefined {
  if (path === undefined || path === "") return undefined;
  try {
    return readFileSync(resolve(cwd, path), "utf8");
  } catch (cause) {
    throw new KilnError("FLAG_INVALID", `--registry-auth-tlscontext: cannot read ${path}`, {
      cause,
    });
  }
}

function invalid(why: string): KilnError {
  return new KilnError("FLAG_INVALID", `--registry-auth-tlscontext ${why}`);
}

/** The session, which also fetches tokens; without contexts, itself: the daemon then asks with the credentials. */
export function withTokens(session: Session, contexts: AuthContexts): Session {
  if (contexts.size === 0) return session;
  return {
    ...session,
    async token({ host, realm, service, scopes }, call) {
      const config = contexts.get(host) ?? {};
      // The certificates are for whoever gives out the registry's tokens, on its own host or another.
      const server = URL.canParse(realm) ? new URL(realm).host : host;
      using registry = createRegistry({
        credentials: async () => undefined,
        hosts: { [server]: config, [host]: config },
        userAgent,
      });
      const credentials = await session.credentials(host, call);
      const wanted = { host, realm, service, scopes };
      const { token, goodUntil } = await registry.token(wanted, credentials, call);
      return { token, expiresIn: Math.max(0, Math.floor((goodUntil - Date.now()) / 1000)) };
    },
  };
}
