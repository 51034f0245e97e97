// Credentials as docker keeps them: config.json, credential helpers, DOCKER_AUTH_CONFIG.
import type { Credentials } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import type { Environment } from "./config-file.ts";

export interface DockerCredentials {
  /** For `docker.io` or a host with its port. Undefined is to ask anonymously. Throws `CREDENTIALS_FAILED`, `CONFIG_INVALID`. */
  credentials(host: string, call: Call): Promise<Credentials | undefined>;
}

/** Nothing is read before the first host is asked for; then config.json is read once. */
export function createDockerCredentials(environment: Environment): DockerCredentials {
  return { credentials: (host) => Promise.reject(new Error(`not yet ${host} ${environment}`)) };
}
