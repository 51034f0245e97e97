// References to what is in a git repository: an address with a ref, a subdirectory and options.
import { type GitUrl, parseBareUrl, parseGitUrl } from "./url.ts";

/** What of a repository is meant. */
export interface GitReference {
  /** The repository's address, without query and fragment. */
  readonly remote: string;
  /** The repository's name: the last part of its address without `.git`. */
  readonly shortName: string;
  /** Branch, tag, commit or full ref name; "" for the default branch. */
  readonly ref: string;
  /** Commit (or the beginning of one) that must be found; "" for any. */
  readonly checksum: string;
  /** "" for the whole tree. */
  readonly subdir: string;
  /** True for the old form without a protocol, which may also be a path. */
  readonly indistinguishableFromLocal: boolean;
  /** True when the protocol does not protect what is fetched. */
  readonly unencryptedTcp: boolean;
  readonly keepGitDir?: boolean;
  readonly submodules?: boolean;
  /** Which time files get: "checkout", "commit", or "" where it is not said. */
  readonly mtime: "" | "checkout" | "commit";
  readonly fetchByCommit: boolean;
}

/** A reference, or why it is not one: `invalid` is said of what is meant as git but contradicts itself. */
export type ParsedGitReference =
  | { readonly kind: "git"; readonly reference: GitReference }
  | { readonly kind: "invalid" | "not-git"; readonly problem: string };

type Draft = { -readonly [Key in keyof GitReference]: GitReference[Key] };

/**
 * Reads a git reference as BuildKit does: `https://host/path.git#ref:subdir`, `git://`, `ssh://`, `git@host:path`, the
 * old `github.com/owner/name`, and options in the query. An http address needs the ending `.git`.
 */
export function parseGitReference(text: string): ParsedGitReference {
  if (text.startsWith("./") || text.startsWith("../")) return notGit("a relative path");
  const bare = text.startsWith("github.com/");
  const url = bare ? parseBareUrl(text) : parseGitUrl(text);
  if (typeof url === "string") return notGit(url);
  const web = url.scheme === "http" || url.scheme === "https";
  if (web && !url.path.endsWith(".git")) return notGit("the address does not end with .git");
  const last = url.remote.slice(url.remote.lastIndexOf("/") + 1);
  const reference: Draft = {
    remote: url.remote,
    shortName: last.endsWith(".git") ? last.slice(0, -4) : last,
    ref: url.fragment?.ref ?? "",
    checksum: "",
    subdir: url.fragment?.subdir ?? "",
    indistinguishableFromLocal: bare,
    unencryptedTcp: url.scheme === "http" || url.scheme === "git",
    mtime: "",
    fetchByCommit: false,
  };
  const problem = readOptions(reference, url.query) ?? readTagAndBranch(reference, url.query);
  return problem === undefined ? { kind: "git", reference } : { kind: "invalid", problem };
}

/** The reference with a fragment instead of a query: `remote#ref`. */
export function fragmentForm({ remote, ref, subdir }: GitReference): string {
  if (subdir !== "") return `${remote}#${ref}:${subdir}`;
  return ref === "" ? remote : `${remote}#${ref}`;
}

/**
 * The identifier of LLB's git source: the same for all protocols that lead to one host and path. What cannot be read as
 * an address is its own identifier.
 */
export function gitSourceId(remote: string, ref: string, subdir: string): string {
  const url = parseGitUrl(remote);
  const known = typeof url === "string" ? parseGitUrl(`https://${remote}`) : url;
  if (typeof known === "string") return remote;
  const fragment = ref === "" && subdir === "" ? "" : `#${ref}${subdir === "" ? "" : `:${subdir}`}`;
  return known.host + cleanPath(known.path) + fragment;
}

function notGit(problem: string): ParsedGitReference {
  return { kind: "not-git", problem };
}

const mayBeEmpty: ReadonlySet<string> = new Set(["submodules", "keep-git-dir", "fetch-by-commit"]);

/** Reads all options but tag and branch, which depend on the ref. */
function readOptions(reference: Draft, query: GitUrl["query"]): string | undefined {
  for (const [name, values] of query) {
    const [value = ""] = values;
    if (values.length > 1) return `query ${JSON.stringify(name)} has multiple values`;
    if (value === "" && !mayBeEmpty.has(name)) return `query ${JSON.stringify(name)} has no value`;
    const read = Object.hasOwn(options, name) ? options[name] : undefined;
    if (!read) return `unexpected query ${JSON.stringify(name)}`;
    const problem = read(reference, value, name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const options: Readonly<
  Record<string, (reference: Draft, value: string, name: string) => string | undefined>
> = {
  ref: (reference, value) => settle(reference, "ref", value),
  subdir: (reference, value) => settle(reference, "subdir", value),
  tag: () => undefined,
  branch: () => undefined,
  checksum: setChecksum,
  commit: setChecksum,
  submodules: (reference, value, name) =>
    flag(value, name, (on) => {
      reference.submodules = on;
    }),
  "keep-git-dir": (reference, value, name) =>
    flag(value, name, (on) => {
      reference.keepGitDir = on;
    }),
  "fetch-by-commit": (reference, value, name) =>
    flag(value, name, (on) => {
      reference.fetchByCommit = on;
    }),
  mtime: (reference, value) => {
    if (value !== "checkout" && value !== "commit") {
      return `invalid mtime value: ${JSON.stringify(value)} (must be "checkout" or "commit")`;
    }
    reference.mtime = value;
    return undefined;
  },
};

function setChecksum(reference: Draft, value: string): undefined {
  reference.checksum = value;
}

function flag(value: string, name: string, set: (on: boolean) => void): string | undefined {
  const on = ["", "1", "t", "T", "true", "TRUE", "True"].includes(value);
  const off = ["0", "f", "F", "false", "FALSE", "False"].includes(value);
  if (!on && !off) return `invalid ${name} value: ${JSON.stringify(value)}`;
  set(on);
  return undefined;
}

function readTagAndBranch(reference: Draft, query: GitUrl["query"]): string | undefined {
  const tag = query.get("tag")?.[0];
  const branch = query.get("branch")?.[0];
  if (tag !== undefined) {
    const problem = settle(reference, "ref", qualified(tag, "refs/tags/"));
    if (problem !== undefined) return problem;
    if (branch !== undefined) return "branch conflicts with tag";
  }
  return branch === undefined
    ? undefined
    : settle(reference, "ref", qualified(branch, "refs/heads/"));
}

function qualified(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name : prefix + name;
}

function settle(reference: Draft, key: "ref" | "subdir", value: string): string | undefined {
  const before = reference[key];
  if (before !== "" && before !== value) {
    return `${key} conflicts: ${JSON.stringify(before)} vs ${JSON.stringify(value)}`;
  }
  reference[key] = value;
  return undefined;
}

/** With one slash in front, `.` and `..` resolved, no slash at the end. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
