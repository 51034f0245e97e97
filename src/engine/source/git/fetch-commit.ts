// Bare repositories, one a remote: commits are fetched into them by one process at a time.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Call, temporaryName } from "../../../base/index.ts";
import { createNamedLocks } from "../../../storage/kept/index.ts";
import type { RemoteAccess } from "./access.ts";
import { isCommit } from "./attributes.ts";
import { type GitOptions, git } from "./git-process.ts";

export interface Repositories {
  /** Where they are. */
  readonly directory: string;
  /** Told before one is looked for: its name in `directory`, and what it is. */
  readonly onUse?: (name: string, description: string) => void;
  /** A path in `directory` for what is not ready; what a killed process left of that is its maker's to sweep. */
  readonly temporary?: () => string;
}

export interface WantedCommit {
  readonly remote: string;
  readonly commit: string;
  /** What to ask the remote for: the full ref, or the commit itself. */
  readonly fetch: string;
  /** What must be there afterwards: the commit, or an annotated tag that names it. */
  readonly object: string;
}

/**
 * The path of the bare repository, with the commit in it; made anew where there is none. Throws `GIT_FAILED`. Several
 * processes may ask for commits of one remote at once, and any of them may be killed.
 */
export async function fetchCommit(
  repositories: Repositories,
  wanted: WantedCommit,
  access: RemoteAccess,
  call: Call,
): Promise<string> {
  const { directory, onUse } = repositories;
  const { remote, object } = wanted;
  const name = createHash("sha256").update(remote).digest("hex").slice(0, 32);
  onUse?.(name, `git repository ${remote}`);
  const repository = join(directory, name);
  const options = { settings: access.settings, env: access.env, doing: `fetching ${remote}` };
  const has = async () => {
    if (!existsSync(repository)) return false;
    const asked = ["-C", repository, "cat-file", "-e", `${object}^{commit}`];
    const found = await git(asked, options, call).then(
      () => true,
      () => false,
    );
    call.signal.throwIfAborted();
    return found;
  };
  if (await has()) return repository;
  const locks = createNamedLocks(join(directory, ".locks"), { fleeting: true });
  using _alone = await locks.hold(name, "locked", () => {}, call);
  if (existsSync(repository)) removeLocks(repository);
  else await makeRepository(repository, repositories, call);
  if (!(await has())) await fetchInto(repository, wanted, options, call);
  return repository;
}

async function fetchInto(
  repository: string,
  { remote, commit, fetch: asked }: WantedCommit,
  options: GitOptions,
  call: Call,
): Promise<void> {
  const quiet = ["--no-tags", "--force", "--no-write-fetch-head"];
  const fetch = (what: string, ...more: readonly string[]) =>
    git(["-C", repository, "fetch", ...quiet, ...more, "--", remote, what], options, call);
  const target = `refs/kiln/${commit}`;
  try {
    await fetch(`${asked}:${target}`, "--depth=1");
  } catch (error) {
    call.signal.throwIfAborted();
    // Servers may refuse single commits or shallow clones, as plain files do: then all that leads there is fetched.
    if (isCommit(asked)) await fetch("+refs/*:refs/kiln/all/*", "--update-shallow");
    else if (/does not support shallow/.test(error instanceof Error ? error.message : ""))
      await fetch(`${asked}:${target}`);
    else throw error;
  }
}

async function makeRepository(
  repository: string,
  { directory, temporary = () => join(directory, temporaryName()) }: Repositories,
  call: Call,
): Promise<void> {
  const unfinished = temporary();
  mkdirSync(unfinished, { recursive: true, mode: 0o700 });
  await git(["init", "--bare", "--quiet", unfinished], { doing: "making a repository" }, call);
  renameSync(unfinished, repository);
}

/** What a git that was killed has left: it would stop all that come after it. Nobody else is at work here. */
function removeLocks(repository: string): void {
  const refs = readdirSync(join(repository, "refs"), { recursive: true, encoding: "utf8" });
  const names = [...readdirSync(repository), ...refs.map((name) => join("refs", name))];
  for (const name of names)
    if (name.endsWith(".lock")) rmSync(join(repository, name), { force: true });
}
