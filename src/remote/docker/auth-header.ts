// X-Registry-Auth: credentials as docker's API takes them.
import { Buffer } from "node:buffer";

/** Name and secret for one registry; the same members as `Credentials` of the session. */
export interface RegistryLogin {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** The header's value: JSON in URL-safe base64. */
export function authHeader(login: RegistryLogin, host: string): string {
  const document = {
    username: login.username,
    password: login.password,
    identitytoken: login.identityToken,
    registrytoken: login.registryToken,
    serveraddress: host === "docker.io" ? "https://index.docker.io/v1/" : host,
  };
  return Buffer.from(JSON.stringify(document)).toString("base64url");
}
