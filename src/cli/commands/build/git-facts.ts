// What version control says of a build's directory: commit and origin, as frontend attributes (X-50, BUILDX_GIT_*).
import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Attrs } from "../../../api/index.ts";
import { type Call, parseBool } from "../../../base/index.ts";

export interface GitFactsRequest {
  /** Absolute: the context and, where it is elsewhere, the Dockerfile's directory. */
  readonly directories: ReadonlyMap<string, string>;
  /** Of the Dockerfile in its directory. */
  readonly filename: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Longest that git may take, in milliseconds: a build does not wait for facts about it. */
const patience = 5000;

/**
 * Attributes `vcs:source`, `vcs:revision`, `vcs:localdir:*` and, where BUILDX_GIT_LABELS asks for them, labels. Empty
 * outside a repository, without git, and for a context that is no directory.
 */
export async function gitFacts(request: GitFactsRequest, call: Call): Promise<Attrs> {
  const { directories, env } = request;
  const context = directories.get("context");
  if (context === undefined || parseBool(env["BUILDX_GIT_INFO"] ?? "") === false) return {};
  if (!isInRepository(context)) return {};
  const git = (...args: string[]) => runGit(context, args, env, call);
  const [root, revision, source, dirty] = await Promise.all([
    git("rev-parse", "--show-toplevel"),
    git("rev-parse", "HEAD"),
    findOrigin(git),
    parseBool(env["BUILDX_GIT_CHECK_DIRTY"] ?? "") ? git("status", "--porcelain") : "",
  ]);
  if (!root) return {};
  const commit = revision && dirty ? `${revision}-dirty` : revision;
  const places = [...directories]
    .filter(([name]) => name === "context" || name === "dockerfile")
    .map(([name, path]) => [`vcs:localdir:${name}`, inside(root, path)] as const)
    .filter(([, path]) => path !== undefined);
  const entrypoint = inside(root, join(directories.get("dockerfile") ?? context, request.filename));
  return {
    ...Object.fromEntries(places),
    ...(commit ? { "vcs:revision": commit } : {}),
    ...(source ? { "vcs:source": source } : {}),
    ...gitLabels(env["BUILDX_GIT_LABELS"] ?? "", { commit, source, entrypoint }),
  };
}

function gitLabels(
  wanted: string,
  facts: {
    readonly commit: string;
    readonly source: string;
    readonly entrypoint: string | undefined;
  },
): Attrs {
  const full = wanted === "full";
  if (!full && parseBool(wanted) !== true) return {};
  return {
    ...(facts.commit ? { "label:org.opencontainers.image.revision": facts.commit } : {}),
    ...(facts.entrypoint ? { "label:com.docker.image.source.entrypoint": facts.entrypoint } : {}),
    ...(full && facts.source ? { "label:org.opencontainers.image.source": facts.source } : {}),
  };
}

/** The address that the current branch is fetched from, else that of `origin`, without credentials. */
async function findOrigin(git: (...args: string[]) => Promise<string>): Promise<string> {
  const upstream = await git("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}");
  const [remote = ""] = upstream.split("/");
  const named = remote ? await git("remote", "get-url", remote) : "";
  const url = named || (await git("remote", "get-url", "origin"));
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, "$1");
}

function isInRepository(directory: string): boolean {
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return true;
    if (at === dirname(at)) return false;
  }
}

/** Relative to the root; undefined for what lies elsewhere. */
function inside(root: string, path: string): string | undefined {
  const found = relative(realpath(root), realpath(path));
  if (found === "") return ".";
  return found.startsWith("..") ? undefined : found;
}

function realpath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Empty where git fails or is not there: facts are welcome, not needed. No program that a repository names is run. */
function runGit(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { signal }: Call,
): Promise<string> {
  const safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", ...args];
  const own = { ...env, GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" };
  return new Promise((done) => {
    execFile("git", safe, { cwd, env: own, signal, timeout: patience }, (error, stdout) =>
      done(error ? "" : stdout.trim()),
    );
  });
}
