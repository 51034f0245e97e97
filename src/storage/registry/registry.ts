// The distribution protocol (OCI distribution-spec v1.1) as seen by those who pull and push.
import type { Bytes, Call, Digest } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import type { BlobSink, BlobSource } from "../content/index.ts";
import type { HostSettings, Patience } from "../http/index.ts";

/** Name and secret for one host; the registry room never sees a Session. */
export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** How one host is reached; the forms of buildkitd.toml's `[registry."host"]`. */
export interface RegistryHostConfig extends HostSettings {
  /** Hosts (with an optional path prefix) to ask first when pulling; the host itself is the last resort. */
  readonly mirrors?: readonly string[];
  /** Plain http. Loopback hosts fall back to http by themselves. */
  readonly http?: boolean;
}

export interface RegistryOptions {
  /** Asked once a host: `docker.io` for the hub, else the host with its port. Undefined is to ask anonymously. */
  credentials(host: string, call: Call): Promise<RegistryCredentials | undefined>;
  /**
   * Asked first where a registry wants tokens, so that credentials may stay elsewhere. Undefined is to fetch the token here,
   * with the credentials.
   */
  token?(wanted: WantedToken, call: Call): Promise<LentToken | undefined>;
  /** By host as names spell it (`docker.io`); mirrors are looked up here as well. */
  readonly hosts: Readonly<Record<string, RegistryHostConfig>>;
  readonly userAgent: string;
  /** Every host may have an unknown certificate, or speak plain http, unless its own settings say `http`. */
  readonly insecure?: boolean;
  /** Proxies (`HTTPS_PROXY`, `NO_PROXY`, ...) and certificate files (`SSL_CERT_FILE`, ...); `process.env` if left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly limits?: Partial<RegistryLimits>;
}

/** How patient and how greedy a registry client is. Times in milliseconds. */
export interface RegistryLimits extends Patience {
  readonly connectTimeout: number;
  /** Longest silence of a server. */
  readonly idleTimeout: number;
  /** Blobs read from one host at once, and as many written. */
  readonly transfersPerHost: number;
  /** Largest piece of a chunked upload, in bytes. */
  readonly chunkSize: number;
}

/** Manifests by tag or digest: the third power beside reading and writing blobs. */
export interface Manifests {
  /** Descriptor behind a tag or digest (HEAD, falling back to GET); undefined where there is none. */
  resolve(reference: string, call: Call): Promise<Descriptor | undefined>;
  /** The document itself, digest and size checked, at most 4 MiB (index) as the specification advises. */
  readManifest(descriptor: Descriptor, call: Call): Promise<Uint8Array>;
  /** Puts a manifest under its digest or a tag. */
  writeManifest(
    descriptor: Descriptor,
    data: Uint8Array,
    tag: string | undefined,
    call: Call,
  ): Promise<void>;
}

/** One repository for pulling: mirrors first. */
export interface PullRepository extends BlobSource, Manifests {
  /**
   * How many bytes a blob has that no manifest names; undefined where it is not there. Absent where blobs are only found
   * by manifests.
   */
  blobSize?(digest: Digest, call: Call): Promise<number | undefined>;
}

export interface PushOptions {
  /** Repositories on the same host that may hold the blob already: mounted from there instead of uploaded. */
  readonly mountFrom?: readonly string[];
  readonly onProgress?: (sent: number, total: number) => void;
}

/** One repository for pushing: the host itself, never a mirror. */
export interface PushRepository extends BlobSource, BlobSink, Manifests {
  /** As `write`, with mount candidates and progress. Says what it took. */
  push(
    blob: Descriptor,
    data: () => Bytes,
    options: PushOptions,
    call: Call,
  ): Promise<"exists" | "mounted" | "uploaded">;
}

/** What a repository's own host says and does beyond pulling and pushing. */
export interface RepositoryListing {
  /** All tags, as the registry orders them. */
  tags(call: Call): AsyncIterable<string>;
  /** What names `subject` as its subject: by the OCI 1.1 API, else by the tag `sha256-HEX`. */
  referrers(subject: Digest, call: Call): Promise<readonly Descriptor[]>;
  /** Makes a manifest that was pushed findable by its subject, where the registry does not do that by itself. */
  addReferrer(subject: Digest, referrer: Descriptor, call: Call): Promise<void>;
  /** By digest, or by tag where the registry can. Throws `IMAGE_NOT_FOUND`, and `UNSUPPORTED` where it is not allowed. */
  deleteManifest(reference: string, call: Call): Promise<void>;
  deleteBlob(digest: Digest, call: Call): Promise<void>;
}

/** What a registry gave for a name and a password. */
export interface LoginResult {
  /** To be kept instead of the password. */
  readonly identityToken?: string;
}

/** A registry with all that its host can be asked. */
export interface RegistryClient extends Registry, Disposable {
  /** `repository` is normalised. */
  listing(repository: string): RepositoryListing;
  /** Tries these credentials out. Throws `REGISTRY_DENIED` when they are refused. */
  login(host: string, credentials: RegistryCredentials, call: Call): Promise<LoginResult>;
  /** A bearer token from the token server that a registry named to somebody else. Throws `REGISTRY_DENIED`. */
  token(
    wanted: WantedToken,
    credentials: RegistryCredentials | undefined,
    call: Call,
  ): Promise<GivenToken>;
}

/** What a registry's challenge said (distribution-spec, token authentication). */
export interface WantedToken {
  readonly host: string;
  readonly realm: string;
  readonly service: string;
  readonly scopes: readonly string[];
}

/** A token that somebody else fetched. */
export interface LentToken {
  readonly token: string;
  /** Seconds from `issuedAt`, or from now; 0 where the server did not say. */
  readonly expiresIn: number;
  readonly issuedAt?: Date;
}

export interface GivenToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly goodUntil: number;
}

export interface Registry {
  /** `repository` is normalised: `docker.io/library/busybox`. */
  pull(repository: string): PullRepository;
  push(repository: string): PushRepository;
  /** Throws `REGISTRY_DENIED` or `REGISTRY_UNREACHABLE` when pushing there would fail. */
  checkPush(repository: string, call: Call): Promise<void>;
}
