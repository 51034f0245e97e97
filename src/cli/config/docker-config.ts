// Credentials as docker keeps them: config.json, credential helpers, DOCKER_AUTH_CONFIG.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Credentials } from "../../api/index.ts";
import { type Call, isRecord, KilnError } from "../../base/index.ts";
import type { Environment } from "./config-file.ts";
import { configInvalid } from "./config-text.ts";
import { askHelper } from "./credential-helper.ts";

export interface DockerCredentials {
  /**
   * For `docker.io` or a host with its port. Undefined is to ask anonymously. Throws `CREDENTIALS_FAILED`,
   * `CONFIG_INVALID`.
   */
  credentials(host: string, call: Call): Promise<Credentials | undefined>;
}

/** What config.json says of credentials. */
export interface DockerConfig {
  readonly file: string;
  /** The file's own text; empty where there is none. */
  readonly text: string;
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credsStore: string | undefined;
  readonly credHelpers: Readonly<Record<string, unknown>>;
}

export const hubKey = "https://index.docker.io/v1/";
const maxFileSize = 5 * 1024 * 1024;

/**
 * Nothing is read before the first host is asked for; then config.json is read once. DOCKER_AUTH_CONFIG comes first, as
 * docker has it; then the helper of the host, the store, the file; last, what CI systems set.
 */
export function createDockerCredentials(environment: Environment): DockerCredentials {
  let config: DockerConfig | undefined;
  return {
    async credentials(host, call) {
      config ??= readDockerConfig(environment);
      const key = host === "docker.io" ? hubKey : host;
      const given =
        fromEnvironment(environment, key) ?? (await fromHelper(config, key, environment, call));
      return given ?? fromAuths(config.auths, key, config.file) ?? fromCi(environment, host);
    },
  };
}

/** Where docker keeps its configuration: `$DOCKER_CONFIG`, else `~/.docker`. */
export function dockerDirectory(environment: Environment): string {
  return environment["DOCKER_CONFIG"] || join(environment["HOME"] || homedir(), ".docker");
}

/** Throws `CONFIG_INVALID`. */
export function readDockerConfig(environment: Environment): DockerConfig {
  const file = join(dockerDirectory(environment), "config.json");
  const text = readIfThere(file);
  const document = parseDocument(text, file);
  const { auths, credsStore, credHelpers } = document;
  return {
    file,
    text,
    auths: isRecord(auths) ? auths : {},
    credsStore: typeof credsStore === "string" && credsStore !== "" ? credsStore : undefined,
    credHelpers: isRecord(credHelpers) ? credHelpers : {},
  };
}

function readIfThere(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw new KilnError("CONFIG_INVALID", `cannot read docker's configuration ${file}`, { cause });
  }
  if (text.length > maxFileSize)
    throw new KilnError("CONFIG_INVALID", `${file} is larger than ${maxFileSize} bytes`);
  return text;
}

function parseDocument(text: string, file: string): Readonly<Record<string, unknown>> {
  if (text.trim() === "") return {};
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    // The document holds secrets: of V8's message, which quotes it, only the position is used.
    const position = /position (\d+)/.exec(String(error))?.[1];
    const line =
      position === undefined ? undefined : text.slice(0, Number(position)).split("\n").length;
    throw new KilnError(
      "CONFIG_INVALID",
      `${file}${line === undefined ? "" : `:${line}`}: not valid JSON`,
    );
  }
  if (isRecord(document)) return document;
  throw configInvalid({ file, text: "" }, undefined, "not a JSON object");
}

function fromEnvironment(environment: Environment, key: string): Credentials | undefined {
  const text = environment["DOCKER_AUTH_CONFIG"];
  if (!text) return undefined;
  const { auths } = parseDocument(text, "DOCKER_AUTH_CONFIG");
  return isRecord(auths) ? fromAuths(auths, key, "DOCKER_AUTH_CONFIG") : undefined;
}

async function fromHelper(
  { credHelpers, credsStore, file }: DockerConfig,
  key: string,
  environment: Environment,
  call: Call,
): Promise<Credentials | undefined> {
  const helper = helperFor({ credHelpers, credsStore }, key);
  return helper === undefined
    ? undefined
    : askHelper({ helper, serverUrl: key, configFile: file, environment }, call);
}

/** The helper of a host, else the store for all; undefined where config.json itself keeps secrets. */
export function helperFor(
  { credHelpers, credsStore }: Pick<DockerConfig, "credHelpers" | "credsStore">,
  key: string,
): string | undefined {
  const own = Object.entries(credHelpers).find(([name]) => hostOf(name) === hostOf(key))?.[1];
  return typeof own === "string" && own !== "" ? own : credsStore;
}

function fromAuths(
  auths: Readonly<Record<string, unknown>>,
  key: string,
  file: string,
): Credentials | undefined {
  const exact = Object.hasOwn(auths, key) ? auths[key] : undefined;
  const entry = exact ?? Object.entries(auths).find(([name]) => hostOf(name) === hostOf(key))?.[1];
  if (!isRecord(entry)) return undefined;
  const text = (name: string) => {
    const value = entry[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const pair = decodePair(text("auth"), hostOf(key), file);
  const username = pair?.username ?? text("username");
  const password = pair?.password ?? text("password");
  const identityToken = text("identitytoken");
  const registryToken = text("registrytoken");
  if (!identityToken && !registryToken && username === undefined) return undefined;
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(identityToken === undefined ? {} : { identityToken }),
    ...(registryToken === undefined ? {} : { registryToken }),
  };
}

/** `auth` is the base64 form of NAME:PASSWORD; older docker versions padded it with NUL. */
function decodePair(
  auth: string | undefined,
  host: string,
  file: string,
): { readonly username: string; readonly password: string } | undefined {
  if (auth === undefined) return undefined;
  const decoded = decodeBase64(auth);
  const colon = decoded?.indexOf(":") ?? -1;
  if (decoded === undefined || colon < 1) {
    throw new KilnError(
      "CONFIG_INVALID",
      `${file}: the auth entry of ${host} is not the base64 form of NAME:PASSWORD`,
    );
  }
  return {
    username: decoded.slice(0, colon),
    password: decoded.slice(colon + 1).replace(/\0+$/, ""),
  };
}

function decodeBase64(text: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.from(atob(text), (char) => char.charCodeAt(0)),
    );
  } catch {
    return undefined;
  }
}

/** `https://host/v1/` and `host/path` mean `host`; the hub has several names. */
export function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, "").split("/")[0] ?? "";
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

/** What CI systems set: GitLab for its own registry and its proxy, many pipelines for the hub or one they name. */
function fromCi(environment: Environment, host: string): Credentials | undefined {
  const {
    CI_REGISTRY: registry,
    CI_JOB_TOKEN: token,
    CI_DEPENDENCY_PROXY_SERVER: proxy,
    DOCKER_REGISTRY: named,
    GITLAB_CI: ci,
  } = environment;
  const pair = (prefix: string, user: string): Credentials | undefined => {
    const username = environment[`${prefix}_${user}`];
    const password = environment[`${prefix}_PASSWORD`];
    return username && password ? { username, password } : undefined;
  };
  if (ci === "true" && registry === host) {
    const job = token ? { username: "gitlab-ci-token", password: token } : undefined;
    return pair("CI_REGISTRY", "USER") ?? job;
  }
  if (ci === "true" && proxy === host) return pair("CI_DEPENDENCY_PROXY", "USER");
  return hostOf(named || "docker.io") === host ? pair("DOCKER", "USERNAME") : undefined;
}
