// Scheme `git`: a commit of a repository, or a directory of it, fetched as shallowly as the server allows.
import type { Session, StepCall } from "../../../api/index.ts";
import { type Call, digestOf, KilnError, Once, uncancelled } from "../../../base/index.ts";
import { type Snapshot, type Snapshotter, withMounted } from "../../../storage/snapshot/index.ts";
import type { ResolvedSource, Source } from "../source.ts";
import { openAccess, type RemoteAccess } from "./access.ts";
import { type GitRequest, isCommit, parseGitRequest } from "./attributes.ts";
import { checkOut } from "./check-out.ts";
import { fetchCommit, type Repositories } from "./fetch-commit.ts";
import { git } from "./git-process.ts";
import { checkGitSignature } from "./signature.ts";

export interface GitSourceOptions extends Repositories {
  readonly snapshotter: Snapshotter;
}

/** What a ref stands for at the remote. */
interface Resolved {
  readonly commit: string;
  /** What to fetch for it: the full ref, or the commit itself. */
  readonly fetch: string;
  /** What the ref itself names: an annotated tag is an object of its own. */
  readonly object: string;
}

export function createGitSource(options: GitSourceOptions): Source {
  const fetches = new Once<string, string>();
  return {
    scheme: "git",
    async resolve(id, session, call): Promise<ResolvedSource> {
      const request = parseGitRequest(id);
      const resolved = await resolveRef(request, session, call);
      checkCommit(request, resolved);
      const fetched = (asking: Call) =>
        fetches.run(
          `${request.remote} ${wantedObject(request, resolved)}`,
          async (once) => {
            await using access = await openAccess(request, session, once);
            const object = wantedObject(request, resolved);
            const wanted = { ...resolved, remote: request.remote, object };
            return await fetchCommit(options, wanted, access, once);
          },
          asking,
        );
      // Before the cache is asked: what it holds was perhaps fetched without the demand.
      if (request.signature) {
        const repository = await fetched(call);
        const { remote, signature } = request;
        await checkGitSignature(signature, { remote, repository, ...resolved }, call);
      }
      return {
        cacheKey: digestOf(
          JSON.stringify(["kiln.git.v1", resolved.commit, shapeOf(request, resolved)]),
        ),
        pin: `${request.remote}#${resolved.commit}`,
        meta: {
          git: {
            checksum: resolved.object,
            ref: isCommit(resolved.fetch) ? "" : resolved.fetch,
            commitChecksum: resolved.object === resolved.commit ? "" : resolved.commit,
          },
        },
        async modified(asking) {
          return await commitTime(await fetched(asking), resolved.commit, asking);
        },
        async fetch(fetching) {
          const repository = await fetched(fetching);
          await using access = await openAccess(request, session, fetching);
          return await snapshotOf(
            options.snapshotter,
            { repository, request, resolved, access },
            fetching,
          );
        },
      };
    },
  };
}

/** What must be in the repository: signatures are looked for in the tag, too. */
function wantedObject({ signature }: GitRequest, { commit, object }: Resolved): string {
  return signature ? object : commit;
}

/** When it was committed. */
async function commitTime(repository: string, commit: string, call: Call): Promise<Date> {
  const doing = `reading the time of ${commit}`;
  const show = ["-C", repository, "show", "-s", "--format=%ct", `${commit}^{commit}`];
  return new Date(Number((await git(show, { doing }, call)).trim()) * 1000);
}

/** All that makes one commit give different files. */
function shapeOf(
  { subdir, keepGitDir, submodules, mtime, remote }: GitRequest,
  { fetch }: Resolved,
) {
  // The remote and the ref are seen in the files only where the .git directory is kept.
  return [subdir, submodules, mtime, ...(keepGitDir ? [remote, fetch] : [false])];
}

async function resolveRef(request: GitRequest, session: Session, call: Call): Promise<Resolved> {
  const { remote, ref } = request;
  if (isCommit(ref)) return { commit: ref, fetch: ref, object: ref };
  const wanted = ref === "" ? "HEAD" : ref;
  const doing = `asking ${remote} for ${wanted}`;
  const patterns = [wanted, `${wanted}^{}`];
  await using access = await openAccess(request, session, call);
  const listed = await git(
    ["ls-remote", "--", remote, ...patterns],
    { settings: access.settings, env: access.env, doing },
    call,
  );
  const found = new Map(
    listed
      .split("\n")
      .map((line) => line.split("\t"))
      .flatMap(([commit, name]) => (commit && name ? [[name, commit] as const] : [])),
  );
  // As git itself does: exact names first, then tags, then branches.
  for (const name of [wanted, `refs/${wanted}`, `refs/tags/${wanted}`, `refs/heads/${wanted}`]) {
    const object = found.get(name);
    const commit = found.get(`${name}^{}`) ?? object;
    if (commit) return { commit, fetch: name, object: object ?? commit };
  }
  throw new KilnError("GIT_FAILED", `${remote} has no branch or tag ${JSON.stringify(wanted)}`);
}

/** The checksum may be an annotated tag's own. */
function checkCommit(request: GitRequest, { commit, object }: Resolved): void {
  if ([commit, object].some((one) => one.startsWith(request.checksum))) return;
  throw new KilnError(
    "GIT_FAILED",
    `${request.remote}: ${request.ref || "HEAD"} is commit ${commit}, not ${request.checksum} as the checksum demands`,
  );
}

interface CheckOutRequest {
  readonly repository: string;
  readonly request: GitRequest;
  readonly resolved: Resolved;
  readonly access: RemoteAccess;
}

async function snapshotOf(
  snapshotter: Snapshotter,
  wanted: CheckOutRequest,
  call: StepCall,
): Promise<Snapshot> {
  await using active = await snapshotter.active(undefined, uncancelled);
  const mounts = await active.mounts(call);
  await withMounted(mounts, call, (target) =>
    checkOut({ ...wanted.request, ...wanted, ...wanted.resolved, target }, call),
  );
  return await active.commit(call);
}
