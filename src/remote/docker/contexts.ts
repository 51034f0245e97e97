// Which docker engine is meant: DOCKER_HOST, DOCKER_CONTEXT, and the contexts that docker keeps in its directory.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isRecord, KilnError } from "../../base/index.ts";

/** Where a docker engine answers. */
export interface DockerEndpoint {
  /** `unix:///path`, `tcp://host:port`, `ssh://user@host`; `npipe:` is refused when it is used. */
  readonly host: string;
  /** Present when the connection is encrypted. */
  readonly tls?: DockerTls;
}

/** PEM texts, as far as there are any. */
export interface DockerTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly skipVerify: boolean;
}

/** What docker's command was told about its engine. */
export interface DockerContexts {
  /** Name of the context in use; `default` when DOCKER_HOST or nothing decides. */
  readonly current: string;
  /** All names, `default` among them, in byte order. */
  names(): readonly string[];
  /** Undefined where there is no context of that name. Throws `CONFIG_INVALID`. */
  endpoint(name: string): DockerEndpoint | undefined;
}

export interface DockerContextOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Docker's own directory: `~/.docker`. */
  readonly directory: string;
  /** `--context` and `--host` of docker's command line. */
  readonly context?: string;
  readonly host?: string;
}

/** Where engines listen on this machine when nobody says otherwise. */
export const defaultDockerHost = "unix:///var/run/docker.sock";

const maxMetadata = 1024 * 1024;

/** Reads what is asked for when it is asked for. */
export function readDockerContexts(options: DockerContextOptions): DockerContexts {
  const { env, directory } = options;
  return {
    current: currentContext(options),
    names: () => ["default", ...storedNames(directory)].sort(),
    endpoint: (name) =>
      name === "default"
        ? defaultEndpoint(options.host || env["DOCKER_HOST"] || defaultDockerHost, env, directory)
        : storedEndpoint(name, directory),
  };
}

/** The key under which the chosen builder is noted: the default context's address, or another context's name. */
export function contextKey(contexts: DockerContexts): string {
  if (contexts.current !== "default") return contexts.current;
  return contexts.endpoint("default")?.host ?? defaultDockerHost;
}

function currentContext({ env, directory, context, host }: DockerContextOptions): string {
  if (context) return context;
  if (host || env["DOCKER_HOST"]) return "default";
  return env["DOCKER_CONTEXT"] || configuredContext(directory) || "default";
}

function configuredContext(directory: string): string | undefined {
  const document = readDocument(join(directory, "config.json"));
  const name = document?.["currentContext"];
  return typeof name === "string" ? name : undefined;
}

function defaultEndpoint(
  host: string,
  env: DockerContextOptions["env"],
  directory: string,
): DockerEndpoint {
  const verify = (env["DOCKER_TLS_VERIFY"] ?? "") !== "";
  if (!host.startsWith("tcp://") || !(verify || env["DOCKER_TLS"])) return { host };
  const from = env["DOCKER_CERT_PATH"] || directory;
  return { host, tls: { ...pemsIn(from), skipVerify: !verify } };
}

function storedNames(directory: string): readonly string[] {
  const root = join(directory, "contexts", "meta");
  return list(root).flatMap((id) => {
    const name = readDocument(join(root, id, "meta.json"))?.["Name"];
    return typeof name === "string" && name !== "" ? [name] : [];
  });
}

function storedEndpoint(name: string, directory: string): DockerEndpoint | undefined {
  const id = createHash("sha256").update(name).digest("hex");
  const document = readDocument(join(directory, "contexts", "meta", id, "meta.json"));
  if (!document) return undefined;
  const endpoints = document["Endpoints"];
  const docker = isRecord(endpoints) ? endpoints["docker"] : undefined;
  const host = isRecord(docker) ? docker["Host"] : undefined;
  if (!isRecord(docker) || typeof host !== "string" || host === "") {
    throw new KilnError("CONFIG_INVALID", `docker context ${name} has no docker endpoint`, {
      hint: `See what it has: docker context inspect ${name}`,
    });
  }
  const pems = pemsIn(join(directory, "contexts", "tls", id, "docker"));
  const skipVerify = docker["SkipTLSVerify"] === true;
  return Object.keys(pems).length > 0 || skipVerify
    ? { host, tls: { ...pems, skipVerify } }
    : { host };
}

function pemsIn(directory: string): Omit<DockerTls, "skipVerify"> {
  const read = (key: "ca" | "cert" | "key") => {
    const text = readIfThere(join(directory, `${key}.pem`));
    return text === undefined ? {} : { [key]: text };
  };
  return { ...read("ca"), ...read("cert"), ...read("key") };
}

function readDocument(file: string): Readonly<Record<string, unknown>> | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  if (text.length > maxMetadata)
    throw new KilnError("CONFIG_INVALID", `${file} is larger than ${maxMetadata} bytes`);
  try {
    const document: unknown = JSON.parse(text);
    if (isRecord(document)) return document;
  } catch {
    // Told below, without V8's words: the document may hold secrets.
  }
  throw new KilnError("CONFIG_INVALID", `${file} is not a JSON object`);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
