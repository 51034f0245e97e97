// Build arguments for the proxies of docker's client configuration, as buildx passes them on.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isRecord } from "../../../base/index.ts";

const argNames: Readonly<Record<string, string>> = {
  httpProxy: "HTTP_PROXY",
  httpsProxy: "HTTPS_PROXY",
  ftpProxy: "FTP_PROXY",
  noProxy: "NO_PROXY",
  allProxy: "ALL_PROXY",
};

/** `proxies.default` of config.json, each in upper and lower case. The environment's own proxies are not passed on. */
export function proxyBuildArgs(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const standard = readProxies(
    join(env["DOCKER_CONFIG"] || join(env["HOME"] || homedir(), ".docker"), "config.json"),
  );
  const args: Record<string, string> = {};
  for (const [key, name] of Object.entries(argNames)) {
    const value = standard[key];
    if (typeof value !== "string" || value === "") continue;
    args[name] = value;
    args[name.toLowerCase()] = value;
  }
  return args;
}

function readProxies(path: string): Readonly<Record<string, unknown>> {
  try {
    const config: unknown = JSON.parse(readFileSync(path, "utf8"));
    const proxies = isRecord(config) ? config["proxies"] : undefined;
    const standard = isRecord(proxies) ? proxies["default"] : undefined;
    return isRecord(standard) ? standard : {};
  } catch {
    // A missing file says nothing; a damaged one is told of where credentials are read from it.
    return {};
  }
}
