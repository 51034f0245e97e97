// What the doctor says of this side: docker's configuration, logins, the SSH agent.
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { isKilnError } from "../../../base/index.ts";
import type { Finding } from "../../../engine/doctor/index.ts";
import { type DockerConfig, readDockerConfig } from "../../config/index.ts";
import type { World } from "../command.ts";

/** Reads configuration files only; no helper is asked and no registry. */
export function judgeClient({ env }: Pick<World, "env">): readonly Finding[] {
  return [dockerFinding(env), agentFinding(env)];
}

function dockerFinding(env: World["env"]): Finding {
  const base = { id: "logins", group: "tools", title: "Registry logins" } as const;
  let config: DockerConfig;
  try {
    config = readDockerConfig(env);
  } catch (error) {
    if (!isKilnError(error)) throw error;
    return {
      ...base,
      status: "missing",
      found: error.message,
      consequence: "no registry can be asked with credentials",
      advice: error.hint ?? "Repair the file, or move it away and log in again.",
    };
  }
  const hosts = new Set([...Object.keys(config.auths), ...Object.keys(config.credHelpers)]);
  const names = [...hosts].map((host) => (host.includes("index.docker.io") ? "docker.io" : host));
  const helpers = new Set(
    [config.credsStore, ...Object.values(config.credHelpers)].filter(
      (one): one is string => typeof one === "string" && one !== "",
    ),
  );
  const absent = [...helpers]
    .map((one) => `docker-credential-${one}`)
    .filter((one) => !isInPath(one, env["PATH"] ?? ""));
  const found = names.length > 0 ? names.join(", ") : "none";
  if (absent.length === 0) return { ...base, status: names.length > 0 ? "ok" : "info", found };
  return {
    ...base,
    status: "warning",
    found,
    consequence: `${config.file} names ${absent.join(", ")}, which is not installed`,
    advice: "Install the credential helper, or take its name out of the file.",
  };
}

function agentFinding(env: World["env"]): Finding {
  const base = { id: "ssh-agent", group: "tools", title: "SSH agent" } as const;
  const socket = env["SSH_AUTH_SOCK"];
  if (!socket) return { ...base, status: "info", found: "none; --ssh then needs a key's path" };
  try {
    accessSync(socket, constants.W_OK);
    return { ...base, status: "ok", found: socket };
  } catch {
    return {
      ...base,
      status: "warning",
      found: `SSH_AUTH_SOCK names ${socket}, which does not answer`,
      advice: "Start an agent anew: eval $(ssh-agent) && ssh-add",
    };
  }
}

function isInPath(name: string, path: string): boolean {
  return path.split(":").some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
