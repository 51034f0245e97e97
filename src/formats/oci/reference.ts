// Image names: `[domain/]path[:tag][@digest]`, the grammar and the short forms of Docker's distribution/reference.
import { KilnError } from "../../base/index.ts";

/** A parsed image name. `domain` is empty only where a name was read as it stands (`parseExactReference`). */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  /** `sha256:<hex>`, `sha384:<hex>` or `sha512:<hex>`: use `parseDigest` where only sha256 will do. */
  readonly digest?: string;
}

// Longer than any name that a registry takes; keeps regular expressions off arbitrarily long input.
const maxReferenceLength = 8192;
const maxPathLength = 255;
const defaultDomain = "docker.io";
const officialPrefix = "library/";

const host =
  "(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[a-fA-F0-9:]+\\])";
const domain = `${host}(?::[0-9]+)?`;
const pathPart = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const path = `${pathPart}(?:/${pathPart})*`;
const tag = "\\w[\\w.-]{0,127}";
const digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const referencePattern = new RegExp(`^((?:${domain}/)?${path})(?::(${tag}))?(?:@(${digest}))?$`);
const namePattern = new RegExp(`^(?:(${domain})/)?(${path})$`);
const tagPattern = new RegExp(`^${tag}$`);
const identifier = /^[a-f0-9]{64}$/;
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Reads a name as users write it and completes it: `busybox` becomes `docker.io/library/busybox`, `index.docker.io/x/y`
 * becomes `docker.io/x/y`; no tag is added (see `withDefaultTag`). Throws `REFERENCE_INVALID`.
 */
export function parseReference(text: string): Reference {
  if (identifier.test(text)) {
    throw invalid(
      text,
      "64 hexadecimal characters alone cannot be a name",
      "Write NAME@sha256:... instead.",
    );
  }
  const { domain, rest } = splitDomain(text);
  const colon = rest.indexOf(":");
  const repository = colon === -1 ? rest : rest.slice(0, colon);
  if (repository.toLowerCase() !== repository) {
    throw invalid(
      text,
      `repository name "${repository}" must be lower-case`,
      `Write "${text.toLowerCase()}".`,
    );
  }
  return parseGrammar(`${domain}/${rest}`, text);
}

/** Reads a name as it stands: nothing is completed, the domain may be missing. Throws `REFERENCE_INVALID`. */
export function parseExactReference(text: string): Reference {
  return parseGrammar(text, text);
}

/**
 * What is pulled for a name: with tag and digest both given the digest alone counts, with neither the tag is `latest`.
 * Throws `REFERENCE_INVALID`.
 */
export function parsePullReference(text: string): Reference {
  const { tag, ...rest } = parseReference(text);
  if (rest.digest !== undefined) return rest;
  return { ...rest, tag: tag ?? "latest" };
}

/** The digest that `text` is when it is an image ID or a digest instead of a name: 64 hex characters, `sha256:...`. */
export function parseImageId(text: string): string | undefined {
  if (identifier.test(text)) return `sha256:${text}`;
  return digestProblem(text) === undefined ? text : undefined;
}

/** The whole name: `domain/path[:tag][@digest]`. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return repositoryName(reference) + tag + digest;
}

/** `domain/path`: what a registry calls the repository, with its host. */
export function repositoryName({ domain, path }: Reference): string {
  return domain === "" ? path : `${domain}/${path}`;
}

/** The short form that users know: `docker.io/library/busybox:1` is shown as `busybox:1`. */
export function familiarReference(reference: Reference): string {
  if (reference.domain !== defaultDomain) return formatReference(reference);
  const short = reference.path.startsWith(officialPrefix)
    ? reference.path.slice(officialPrefix.length)
    : "";
  const path = short !== "" && !short.includes("/") ? short : reference.path;
  return formatReference({ ...reference, domain: "", path });
}

/** The same name with `:latest` where it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  const bare = reference.tag === undefined && reference.digest === undefined;
  return bare ? { ...reference, tag: "latest" } : reference;
}

/** True for what the grammar allows as a tag. */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/** Splits a user's name in the host and the rest, with Docker Hub filled in; says nothing about validity. */
function splitDomain(name: string): { readonly domain: string; readonly rest: string } {
  const slash = name.indexOf("/");
  if (slash === -1) return { domain: defaultDomain, rest: officialPrefix + name };
  const first = name.slice(0, slash);
  const after = name.slice(slash + 1);
  const isDomain = first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first;
  const domain = !isDomain || first === "index.docker.io" ? defaultDomain : first;
  const rest = isDomain ? after : name;
  const official = domain === defaultDomain && !rest.includes("/");
  return { domain, rest: official ? officialPrefix + rest : rest };
}

function parseGrammar(name: string, text: string): Reference {
  if (name.length > maxReferenceLength) throw invalid(text.slice(0, 60), "it is too long");
  const match = referencePattern.exec(name);
  if (!match) throw invalid(text, reasonFor(name));
  const [, repository = "", tag, digest] = match;
  const [, domain = "", path = repository] = namePattern.exec(repository) ?? [];
  if (path.length > maxPathLength)
    throw invalid(text, `the repository name is longer than ${maxPathLength} characters`);
  const problem = digest === undefined ? undefined : digestProblem(digest);
  if (problem !== undefined) throw invalid(text, problem);
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function reasonFor(name: string): string {
  if (name === "" || name === `${defaultDomain}/${officialPrefix}`) return "it is empty";
  const lower = name.toLowerCase();
  if (lower !== name && referencePattern.test(lower))
    return "the repository name must be lower-case";
  const space = /\s/.exec(name);
  return space ? "it has white space in it" : "it is not of the form [HOST/]NAME[:TAG][@DIGEST]";
}

function digestProblem(text: string): string | undefined {
  const colon = text.indexOf(":");
  const expected = digestLengths[text.slice(0, colon)];
  const hex = text.slice(colon + 1);
  if (colon < 1 || expected === undefined) return "its digest is of an unknown algorithm";
  if (hex.length !== expected)
    return `its digest must have ${expected} hexadecimal characters, not ${hex.length}`;
  return /^[0-9a-f]+$/.test(hex)
    ? undefined
    : "its digest must be in lower-case hexadecimal characters";
}

function invalid(text: string, why: string, hint?: string): KilnError {
  return new KilnError(
    "REFERENCE_INVALID",
    `invalid image name ${JSON.stringify(text)}: ${why}`,
    hint === undefined ? {} : { hint },
  );
}
