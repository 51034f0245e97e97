// Trying credentials out: whether a registry takes them, and the longer-lived token that it may give for them.
import { type Call, KilnError } from "../../base/index.ts";
import { Authenticator } from "./authenticator.ts";
import { type ClientParts, EndpointClient } from "./endpoint-client.ts";
import type { LoginResult, RegistryCredentials } from "./registry.ts";
import type { SendToRealm } from "./token.ts";

const hubServer = "registry-1.docker.io";

/**
 * Asks for `/v2/` with these credentials and no others. Throws `REGISTRY_DENIED` when they are refused, and
 * `REGISTRY_UNREACHABLE`, `REGISTRY_FAILED`.
 */
export async function tryLogin(
  host: string,
  credentials: RegistryCredentials,
  parts: Omit<ClientParts, "authenticator">,
  askRealm: SendToRealm,
  call: Call,
): Promise<LoginResult> {
  const doing = `logging in to ${host}`;
  let identityToken: string | undefined;
  const keep = (token: string) => {
    identityToken = token;
  };
  const authenticator = new Authenticator({ credentials: async () => credentials }, askRealm, {
    onRefreshToken: keep,
  });
  const address = host === "docker.io" ? hubServer : host;
  const client = new EndpointClient(
    { name: host, address, repository: "", config: parts.hosts(host) },
    { ...parts, authenticator },
  );
  const response = await client.send({ method: "GET", to: "", scopes: [], doing }, call);
  if (response.status === 200) {
    response.discard();
    return identityToken === undefined ? {} : { identityToken };
  }
  if (response.status === 404) {
    response.discard();
    throw new KilnError("REGISTRY_FAILED", `${doing}: there is no registry at ${host}`, {
      hint: "Check the name of the registry: it is a host, with its port where it has one.",
    });
  }
  throw await client.failure(response, { method: "GET", doing }, call);
}
