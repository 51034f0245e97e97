// A build context that is fetched instead of lent: a repository, or a file behind a URL.
import { parseGitReference } from "../../git/index.ts";
import { http, type State } from "../../llb/index.ts";
import { dockerfileError } from "./problem.ts";
import { gitState } from "./remote-source.ts";

/** `git`: the files of a commit. `file`: one file called `remoteContextFile`, an archive or a Dockerfile. */
export interface RemoteContext {
  readonly kind: "git" | "file";
  readonly state: State;
}

/** What a context behind a URL is called where it lies. */
export const remoteContextFile = "context";

/** The files behind `address`; throws `DOCKERFILE_INVALID` for what is no address of a context. */
export function openRemoteContext(
  address: string,
  options: { readonly keepGitDir: boolean },
): RemoteContext {
  const parsed = parseGitReference(address);
  if (parsed.kind === "invalid")
    throw dockerfileError(`build context ${address}: ${parsed.problem}`);
  if (parsed.kind === "git") {
    const { reference } = parsed;
    const keepGitDir = options.keepGitDir && reference.keepGitDir === undefined;
    const flags = { checksum: "", ...(keepGitDir ? { keepGitDir } : {}) };
    const name = `[internal] load git source ${address}`;
    return { kind: "git", state: gitState(reference, flags, { name }) };
  }
  if (!/^https?:\/\//.test(address)) {
    throw dockerfileError(
      `build context ${address} is neither a repository nor a URL`,
      "Give a directory, a git repository, or an http or https URL.",
    );
  }
  const name = "[internal] load remote build context";
  return { kind: "file", state: http(address, { filename: remoteContextFile, name }) };
}
