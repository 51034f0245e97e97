// What went into a result, read from its definition: images, repositories, files, directories, secrets, networks.
import type { LlbVertex } from "../../formats/llb/index.ts";
import {
  imagePurl,
  type Platform,
  parseReference,
  type Reference,
} from "../../formats/oci/index.ts";
import { redactCredentials } from "./redact.ts";

/** Something from outside, by what it is now: SLSA's ResourceDescriptor. */
export interface Material {
  readonly uri: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** Named by a build without being told: value and name stay apart. */
export interface LentName {
  readonly id: string;
  readonly optional: boolean;
}

export interface Capture {
  /** Images, repositories, files behind URLs, each in the order of their names. */
  readonly materials: readonly Material[];
  /** Names of lent directories. */
  readonly locals: readonly string[];
  readonly secrets: readonly LentName[];
  readonly ssh: readonly LentName[];
  /** A step could reach other machines. */
  readonly network: boolean;
  /** Where steps were kept behind a proxy: what they asked for and did not get whole. */
  readonly proxy?: { readonly incomplete: readonly IncompleteFetch[] };
}

/** In BuildKit's words; `op` is the step's digest. */
export interface IncompleteFetch {
  readonly op: string;
  readonly method: string;
  readonly uri: string;
  readonly reason: string;
}

/** What a step fetched through a proxy. */
export interface FetchedByStep {
  readonly materials: readonly { readonly url: string; readonly digest: string }[];
  readonly incomplete: readonly {
    readonly method: string;
    readonly url: string;
    readonly reason: string;
  }[];
}

export interface CaptureParts {
  /** What the user wrote for a reference that the frontend has pinned to a digest. */
  readonly written: (pinned: string) => string | undefined;
  /** What a source's identifier stood for: a commit, the digest of a file. Undefined where nobody looked. */
  readonly pinOf: (vertex: LlbVertex) => string | undefined;
  /** Of steps behind a proxy, undefined where nobody noted it; absent where there is no proxy. */
  readonly fetchedBy?: (vertex: LlbVertex) => FetchedByStep | undefined;
  /** Of vertices that name none. */
  readonly platform: Platform;
}

/** Of the vertices of a result and of what was read to find it. */
export function captureBuild(vertices: Iterable<LlbVertex>, parts: CaptureParts): Capture {
  const images = new Map<string, Material>();
  const repositories = new Map<string, Material>();
  const files = new Map<string, Material>();
  const locals = new Set<string>();
  const secrets = new Map<string, LentName>();
  const ssh = new Map<string, LentName>();
  const incomplete: IncompleteFetch[] = [];
  let network = false;
  for (const vertex of vertices) {
    const { op } = vertex;
    if (op.kind === "exec") {
      network ||= op.network !== "none";
      if (parts.fetchedBy && op.network !== "none")
        incomplete.push(...keepFetched(files, vertex.digest, parts.fetchedBy(vertex)));
      for (const one of op.secretEnv) lend(secrets, one);
      for (const { type, secret, ssh: agent } of op.mounts) {
        if (type === "secret" && secret) lend(secrets, secret);
        if (type === "ssh" && agent) lend(ssh, { ...agent, id: agent.id || "default" });
      }
    }
    if (op.kind !== "source") continue;
    const [scheme = "", rest = ""] = splitAt(op.identifier, "://");
    if (scheme === "local") locals.add(rest);
    else if (scheme === "git") keep(repositories, gitMaterial(rest, op.attrs, vertex, parts));
    else if (scheme === "docker-image" || scheme === "oci-layout")
      keep(images, imageMaterial(scheme, rest, vertex, parts));
    else if (scheme.endsWith("+blob")) keep(images, blobMaterial(scheme, rest));
    else keep(files, fileMaterial(op.identifier, vertex, parts));
  }
  return {
    materials: [images, repositories, files].flatMap((kind) => sorted(kind, (one) => one.uri)),
    locals: [...locals].sort(),
    secrets: sorted(secrets, (one) => one.id),
    ssh: sorted(ssh, (one) => one.id),
    network,
    ...(parts.fetchedBy ? { proxy: { incomplete } } : {}),
  };
}

/** What a step got becomes files like those of sources; the rest is told. */
function keepFetched(
  files: Map<string, Material>,
  op: string,
  fetched: FetchedByStep | undefined,
): readonly IncompleteFetch[] {
  if (!fetched) return [{ op, method: "", uri: "", reason: "not_captured" }];
  for (const { url, digest } of fetched.materials)
    keep(files, { uri: url, digest: digestSet(digest) });
  return fetched.incomplete.map(({ method, url, reason }) => ({ op, method, uri: url, reason }));
}

function keep(into: Map<string, Material>, material: Material | undefined): void {
  if (material) into.set(material.uri, into.get(material.uri) ?? material);
}

/** Wanted once for certain is wanted for certain. */
function lend(into: Map<string, LentName>, { id, optional }: LentName): void {
  into.set(id, { id, optional: optional && (into.get(id)?.optional ?? true) });
}

function sorted<T>(map: ReadonlyMap<string, T>, key: (one: T) => string): readonly T[] {
  return [...map.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function imageMaterial(
  scheme: string,
  rest: string,
  vertex: LlbVertex,
  { written, pinOf, platform }: CaptureParts,
): Material | undefined {
  const pinned = parseReference(rest);
  const digest = pinned.digest ?? pinOf(vertex);
  if (digest === undefined) return undefined;
  const asked = written(rest);
  const named: Reference = asked === undefined ? withoutDigest(pinned) : parseReference(asked);
  const type = scheme === "oci-layout" ? "oci" : "docker";
  return {
    uri: imagePurl(named, vertex.platform ?? platform, type),
    digest: digestSet(digest),
  };
}

function blobMaterial(scheme: string, rest: string): Material | undefined {
  const named = parseReference(rest);
  if (named.digest === undefined) return undefined;
  const purl = imagePurl(named, undefined, scheme === "oci-layout+blob" ? "oci" : "docker");
  return {
    uri: `${purl}${purl.includes("?") ? "&" : "?"}ref_type=blob`,
    digest: digestSet(named.digest),
  };
}

/** A name with a tag: the digest was put there by whoever looked it up. */
function withoutDigest(reference: Reference): Reference {
  if (reference.tag === undefined) return reference;
  const { digest: _, ...named } = reference;
  return named;
}

function gitMaterial(
  rest: string,
  attrs: Readonly<Record<string, string>>,
  vertex: LlbVertex,
  { pinOf }: CaptureParts,
): Material | undefined {
  const [path = "", fragment = ""] = splitAt(rest, "#");
  const [ref = ""] = splitAt(fragment, ":");
  const remote = redactCredentials(attrs["git.fullurl"] || `https://${path}`);
  const commit = pinOf(vertex);
  if (commit === undefined) return undefined;
  return { uri: ref === "" ? remote : `${remote}#${ref}`, digest: { sha1: commit } };
}

function fileMaterial(
  identifier: string,
  vertex: LlbVertex,
  { pinOf }: CaptureParts,
): Material | undefined {
  const digest = pinOf(vertex);
  if (digest === undefined) return undefined;
  return { uri: redactCredentials(identifier), digest: digestSet(digest) };
}

/** `sha256:abc` as in-toto has it. */
function digestSet(digest: string): Readonly<Record<string, string>> {
  const [algorithm = "", hex = ""] = splitAt(digest, ":");
  return { [algorithm]: hex };
}

function splitAt(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
