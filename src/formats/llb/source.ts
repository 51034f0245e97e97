// Vertices without inputs: images, directories of the asking side, repositories, URLs, OCI layouts.
import { goJson, sortedRecord } from "../../base/index.ts";
import type { Platform } from "../oci/index.ts";
import type { Constraints, OpScope, Output, Vertex } from "./vertex.ts";

export interface ImageOptions extends Constraints {
  /** How eagerly the name is looked up again; absent is the builder's own way. */
  readonly resolveMode?: "default" | "pull" | "local";
}

/** An image by its normalised name, `docker.io/library/busybox:latest@sha256:…`. */
export function imageVertex(reference: string, options: ImageOptions = {}): Vertex {
  const { resolveMode } = options;
  return new SourceVertex(`docker-image://${reference}`, options, {
    // Only what must not be ignored is asked for.
    caps: resolveMode === "pull" ? pulledImageCaps : imageCaps,
    attrs:
      resolveMode === undefined || resolveMode === "default"
        ? {}
        : { "image.resolvemode": resolveMode },
  });
}

const imageCaps = ["source.image"] as const;
const pulledImageCaps = ["source.image", "source.image.resolvemode"] as const;

export interface OciLayoutOptions extends Constraints {
  readonly sessionId?: string;
  readonly storeId?: string;
}

/** An image in an OCI layout that the asking side lends: `name@sha256:…`. */
export function ociLayoutVertex(reference: string, options: OciLayoutOptions = {}): Vertex {
  const { sessionId, storeId } = options;
  return new SourceVertex(`oci-layout://${reference}`, options, {
    caps: ["source.ocilayout"],
    attrs: {
      ...(sessionId === undefined ? {} : { "oci.session": sessionId }),
      ...(storeId === undefined ? {} : { "oci.store": storeId }),
    },
  });
}

export interface LocalOptions extends Constraints {
  readonly sessionId?: string;
  /** Sent are only what matches, what is not excluded, and what the paths lead to over symbolic links. */
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  readonly followPaths?: readonly string[];
  /** Directories of the same hint are the same for the cache of transferred files. */
  readonly sharedKeyHint?: string;
}

/** A directory that the asking side lends under a name. */
export function localVertex(name: string, options: LocalOptions = {}): Vertex {
  const attrs: Record<string, string> = {};
  const caps = ["source.local"];
  const set = (attr: string, value: string | undefined, cap: string): void => {
    if (value === undefined || value === "") return;
    attrs[attr] = value;
    caps.push(cap);
  };
  const list = (values: readonly string[] | undefined): string | undefined =>
    values && values.length > 0 ? goJson(values) : undefined;
  set("local.session", options.sessionId, "source.local.sessionid");
  set("local.includepattern", list(options.includePatterns), "source.local.includepatterns");
  set("local.followpaths", list(options.followPaths), "source.local.followpaths");
  set("local.excludepatterns", list(options.excludePatterns), "source.local.excludepatterns");
  set("local.sharedkeyhint", options.sharedKeyHint, "source.local.sharedkeyhint");
  const unique = options.sessionId === undefined;
  return new SourceVertex(`local://${name}`, options, {
    caps: [...caps, ...(unique ? ["source.local.unique"] : [])].sort(),
    attrs,
    ...(unique ? { scopedAttrs: (scope) => ({ "local.unique": scope.localUniqueId }) } : {}),
  });
}

export interface GitOptions extends Constraints {
  /** The repository as the user wrote it, without fragment and query. */
  readonly fullUrl: string;
  readonly keepGitDir?: boolean;
  /** A commit or the beginning of one, which the checked-out commit must have. */
  readonly checksum?: string;
  readonly skipSubmodules?: boolean;
  /** Which time files get: `checkout` or `commit`. */
  readonly mtime?: string;
  readonly fetchByCommit?: boolean;
  /** For repositories over ssh: what known_hosts says of the host, and the agent's id. */
  readonly ssh?: { readonly knownHosts?: string; readonly agent?: string };
}

/** A commit's files: `host/path.git#ref:subdir`. */
export function gitVertex(id: string, options: GitOptions): Vertex {
  const attrs: Record<string, string> = {
    "git.fullurl": options.fullUrl,
    "git.authheadersecret": "GIT_AUTH_HEADER",
    "git.authtokensecret": "GIT_AUTH_TOKEN",
  };
  const caps = ["source.git", "source.git.fullurl"];
  const set = (attr: string, value: string | boolean | undefined, cap: string): void => {
    if (value === undefined || value === false || value === "") return;
    attrs[attr] = String(value);
    caps.push(cap);
  };
  set("git.keepgitdir", options.keepGitDir, "source.git.keepgitdir");
  set("git.checksum", options.checksum, "source.git.checksum");
  set("git.skipsubmodules", options.skipSubmodules, "source.git.skipsubmodules");
  set("git.mtime", options.mtime, "source.git.mtime");
  set("git.fetchbycommit", options.fetchByCommit, "source.git.fetchbycommit");
  if (options.ssh) {
    const { knownHosts, agent = "default" } = options.ssh;
    if (knownHosts !== undefined) attrs["git.knownsshhosts"] = knownHosts;
    attrs["git.mountsshsock"] = agent;
    caps.push("source.git.knownsshhosts", "source.git.mountsshsock");
  }
  return new SourceVertex(`git://${id}`, options, { caps: caps.sort(), attrs });
}

export interface HttpOptions extends Constraints {
  readonly filename?: string;
  readonly checksum?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A file behind a URL. */
export function httpVertex(url: string, options: HttpOptions = {}): Vertex {
  const attrs: Record<string, string> = {};
  const caps = new Set(["source.http"]);
  const set = (attr: string, value: string | undefined, cap?: string): void => {
    if (value === undefined) return;
    attrs[attr] = value;
    if (cap !== undefined) caps.add(cap);
  };
  set("http.checksum", options.checksum, "source.http.checksum");
  set("http.filename", options.filename);
  set(
    "http.perm",
    options.mode === undefined ? undefined : `0${options.mode.toString(8)}`,
    "source.http.perm",
  );
  // The name is misspelt on the wire.
  set("http.uid", options.uid?.toString(), "soruce.http.uidgid");
  set("http.gid", options.gid?.toString(), "soruce.http.uidgid");
  return new SourceVertex(url, options, { caps: [...caps].sort(), attrs });
}

interface SourceSpec {
  /** Sorted. */
  readonly caps: readonly string[];
  readonly attrs: Readonly<Record<string, string>>;
  /** Attributes that the definition as a whole decides. */
  readonly scopedAttrs?: (scope: OpScope) => Readonly<Record<string, string>>;
}

class SourceVertex implements Vertex {
  readonly constraints: Constraints;
  readonly platform: Platform | undefined;
  readonly caps: readonly string[];
  readonly inputs: readonly Output[] = [];
  readonly #identifier: string;
  readonly #spec: SourceSpec;

  constructor(identifier: string, constraints: Constraints, spec: SourceSpec) {
    this.constraints = constraints;
    this.platform = constraints.platform;
    this.caps = spec.caps;
    this.#identifier = identifier;
    this.#spec = spec;
  }

  write(op: OpScope): void {
    const { attrs, scopedAttrs } = this.#spec;
    const identifier = this.#identifier;
    const isImage =
      identifier.startsWith("docker-image://") || identifier.startsWith("oci-layout://");
    const to = op.begin("source", isImage);
    to.text(1, identifier);
    const sorted = sortedRecord(
      scopedAttrs === undefined ? attrs : { ...attrs, ...scopedAttrs(op) },
    );
    for (const [name, value] of Object.entries(sorted)) {
      to.begin(2);
      to.text(1, name);
      to.text(2, value);
      to.end();
    }
  }
}
