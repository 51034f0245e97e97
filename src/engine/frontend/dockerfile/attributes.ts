// The Dockerfile frontend's options: BuildKit's attribute strings as values (frontend/dockerui, features F-80 ff.).
import { Buffer } from "node:buffer";
import type { Attrs } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import type { ConvertOptions } from "../../../formats/dockerfile/index.ts";
import { type Platform, parsePlatformList } from "../../../formats/oci/index.ts";

export interface DockerfileRequest {
  readonly filename: string;
  /** True when the name was not asked for: `dockerfile` in lower case will do too. */
  readonly isDefaultFilename: boolean;
  readonly context: ContextRequest;
  /** Name of the lent directory with the Dockerfile. */
  readonly dockerfileName: string;
  /** True when the Dockerfile is there even if the context is fetched from elsewhere. */
  readonly dockerfileIsLent: boolean;
  /** Empty: whatever follows from this machine. */
  readonly platforms: readonly Platform[];
  readonly multiPlatform: boolean;
  /** A sub-request's name: an answer about the file is wanted, not a build. */
  readonly question?: string;
  /** The frontend that the caller wants in place of the one that the file asks for. */
  readonly syntax?: string;
  /** True when somebody has chosen this frontend already, by the file's `# syntax=` or otherwise. */
  readonly isForwarded: boolean;
  /** By name of a build input, the image configuration that goes with it. */
  readonly inputConfigs: Readonly<Record<string, Uint8Array>>;
  /** What is the same for all platforms. */
  readonly options: Omit<ConvertOptions, "buildPlatforms" | "newId" | "targetPlatform">;
}

/** Name of the lent directory that is the context. */
export const contextName = "context";

export interface ContextRequest {
  /** Address of a context that is no lent directory. */
  readonly remote?: string;
  /** Only this directory of a remote context. */
  readonly subdir?: string;
  /** Whether a repository's `.git` is part of it. */
  readonly keepGitDir: boolean;
}

/** Throws `FLAG_INVALID` for values that make no sense, `UNSUPPORTED` for what is asked for and does not exist. */
export function parseDockerfileAttrs(attrs: Attrs, host: Platform): DockerfileRequest {
  checkKnown(attrs);
  const platforms = attrs["platform"] ? parsePlatformList(attrs["platform"], host) : [];
  const buildArgs = withPrefix(attrs, "build-arg:");
  const filename = attrs["filename"] || "Dockerfile";
  const asked = attrs["multi-platform"] ?? buildArgs["BUILDKIT_MULTI_PLATFORM"];
  const multiPlatform =
    asked === undefined ? platforms.length > 1 : parseBoolean("multi-platform", asked);
  if (!multiPlatform && platforms.length > 1) {
    throw new KilnError(
      "FLAG_INVALID",
      "several platforms cannot be built into a result that holds one",
    );
  }
  return {
    filename,
    isDefaultFilename: !attrs["filename"],
    context: parseContext(attrs, buildArgs),
    dockerfileName: attrs["dockerfilekey"] || "dockerfile",
    dockerfileIsLent: Boolean(attrs["dockerfilekey"]),
    platforms,
    multiPlatform,
    ...optional("question", attrs["requestid"]),
    ...optional("syntax", attrs["build-arg:BUILDKIT_SYNTAX"]),
    isForwarded: attrs["source"] !== undefined,
    inputConfigs: parseInputConfigs(withPrefix(attrs, "input-metadata:")),
    options: {
      filename,
      buildArgs,
      labels: withPrefix(attrs, "label:"),
      multiPlatform,
      namedContexts: withPrefix(attrs, "context:"),
      sessionIds: withPrefix(attrs, "local-sessionid:"),
      sharedKeys: withPrefix(attrs, "sharedkey:localdir:"),
      ...optional("target", attrs["target"]),
      ...optional("noCache", parseNoCache(attrs["no-cache"])),
      ...optional(
        "imageResolveMode",
        choice(attrs, "image-resolve-mode", ["default", "pull", "local"]),
      ),
      ...optional("networkMode", choice(attrs, "force-network-mode", ["sandbox", "host", "none"])),
      ...optional("extraHosts", parseHosts(attrs["add-hosts"])),
      ...optional("ulimits", parseUlimits(attrs["ulimit"])),
      ...optional("shmSize", parseCount("shm-size", attrs["shm-size"])),
      ...optional("hostname", attrs["hostname"] || buildArgs["BUILDKIT_SANDBOX_HOSTNAME"]),
      ...optional("cgroupParent", attrs["cgroup-parent"]),
      ...optional("cacheIdNamespace", buildArgs["BUILDKIT_CACHE_MOUNT_NS"]),
      ...optional("check", buildArgs["BUILDKIT_DOCKERFILE_CHECK"]),
    },
  };
}

/** What a caller may ask a frontend to know, each also with `+forward`: for a frontend that this one runs. */
const capabilities: ReadonlySet<string> = new Set(
  ["inputs", "subrequests", "contexts", "gitquerystring"].map(
    (name) => `moby.buildkit.frontend.${name}`,
  ),
);

/** BuildKit: frontend/dockerui/config.go, what was taken out of it and what it can be asked for. */
function checkKnown(attrs: Attrs): void {
  if (attrs["override-copy-image"] !== undefined)
    throw removed("override-copy-image", "COPY needs no image.");
  if (/^(1|t|true)$/i.test(attrs["build-arg:BUILDKIT_DISABLE_FILEOP"] ?? ""))
    throw removed("build-arg:BUILDKIT_DISABLE_FILEOP", "Files are copied without a container.");
  for (const asked of (attrs["frontend.caps"] ?? "").split(",")) {
    const name = asked.trim().replace(/\+forward$/, "");
    if (name === "" || capabilities.has(name)) continue;
    throw new KilnError("UNSUPPORTED", `unsupported frontend capability ${name}`, {
      details: { capability: name },
      hint: `Known capabilities: ${[...capabilities].join(", ")}.`,
    });
  }
}

function removed(option: string, why: string): KilnError {
  return new KilnError(
    "UNSUPPORTED",
    `support for ${JSON.stringify(option)} was removed in BuildKit 0.11`,
    { hint: `Leave it out. ${why}` },
  );
}

/** BuildKit: `contextkey` names the attribute that holds the address; what is lent has always the usual name. */
function parseContext(attrs: Attrs, buildArgs: Attrs): ContextRequest {
  const keep = buildArgs["BUILDKIT_CONTEXT_KEEP_GIT_DIR"];
  return {
    // What is not a word for yes or no counts as no, as for the reference.
    keepGitDir: /^(1|t|true)$/i.test(keep ?? ""),
    ...optional("remote", attrs[attrs["contextkey"] || contextName]),
    ...optional("subdir", attrs["contextsubdir"]),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined || value === "" ? {} : { [key]: value }) as {
    readonly [key in K]?: V;
  };
}

function withPrefix(attrs: Attrs, prefix: string): Record<string, string> {
  const found = Object.entries(attrs).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(found.map(([key, value]) => [key.slice(prefix.length), value]));
}

/** Present and empty: all stages; else the stages that are named. */
function parseNoCache(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  return text === "" ? [] : text.split(",").map((name) => name.trim());
}

function choice<const T extends string>(
  attrs: Attrs,
  key: string,
  known: readonly T[],
): T | undefined {
  const text = attrs[key];
  if (!text) return undefined;
  const found = known.find((one) => one === text);
  if (found) return found;
  throw new KilnError(
    "FLAG_INVALID",
    `${key} must be one of ${known.join(", ")}, not ${JSON.stringify(text)}`,
  );
}

function parseBoolean(key: string, text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new KilnError("FLAG_INVALID", `${key} must be true or false, not ${JSON.stringify(text)}`);
}

function parseCount(key: string, text: string | undefined): number | undefined {
  if (!text) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new KilnError("FLAG_INVALID", `${key} must be a number, not ${JSON.stringify(text)}`);
}

/** A JSON object of result metadata, each value in base64; only `containerimage.config` counts. */
function parseInputConfigs(metadata: Readonly<Record<string, string>>): Record<string, Uint8Array> {
  const configs = Object.entries(metadata).flatMap(([input, text]): [string, Uint8Array][] => {
    const key = `input-metadata:${input}`;
    let values: unknown;
    try {
      values = JSON.parse(text);
    } catch {
      throw new KilnError("FLAG_INVALID", `${key} is not JSON`);
    }
    const config = (values as Readonly<Record<string, unknown>> | null)?.["containerimage.config"];
    if (config === undefined || config === null) return [];
    if (typeof config === "string") return [[input, Buffer.from(config, "base64")]];
    throw new KilnError("FLAG_INVALID", `${key}: containerimage.config is not a string of base64`);
  });
  return Object.fromEntries(configs);
}

/** `name=ip,name=ip` */
function parseHosts(text: string | undefined): ConvertOptions["extraHosts"] | undefined {
  if (!text) return undefined;
  return text.split(",").map((one) => {
    const [host = "", ip] = splitOnce(one, "=");
    if (host && ip) return { host, ip };
    throw new KilnError(
      "FLAG_INVALID",
      `add-hosts: ${JSON.stringify(one)} is not of the form name=address`,
    );
  });
}

/** `nofile=1024:2048,nproc=100` */
const limits: ReadonlySet<string> = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  ),
);

function parseUlimits(text: string | undefined): ConvertOptions["ulimits"] | undefined {
  if (!text) return undefined;
  return text.split(",").map((one) => {
    const match = /^([a-z]+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(one);
    const [, name, soft, hard = soft] = match ?? [];
    if (name && !limits.has(name))
      throw new KilnError("FLAG_INVALID", `failed to parse ulimit: invalid ulimit type: ${name}`);
    if (name && soft && hard) return { name, soft: Number(soft), hard: Number(hard) };
    throw new KilnError(
      "FLAG_INVALID",
      `ulimit: ${JSON.stringify(one)} is not of the form name=soft[:hard]`,
    );
  });
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
