// Sources that are neither in the build context nor images: files behind URLs and repositories.
import { posix } from "node:path";
import {
  type GitReference,
  gitSourceId,
  isGitTransport,
  parseGitReference,
  parseGitUrl,
} from "../../git/index.ts";
import { type Constraints, type FileStep, git, http, type State } from "../../llb/index.ts";
import type { AddInstruction } from "../instructions/index.ts";
import type { CopyPlan } from "./copy-steps.ts";
import { joinPaths } from "./paths.ts";
import { dockerfileError } from "./problem.ts";

/** True for URLs that are files, not repositories. */
export function isHttpSource(source: string): boolean {
  return /^https?:\/\//.test(source) && !isGitSource(source);
}

/** True for addresses of repositories, also where they could be paths: `github.com/owner/name`. */
export function isGitSource(source: string): boolean {
  return parseGitReference(source).kind === "git";
}

/** The repository that a source of ADD or COPY surely is; undefined where it may be a path. Throws for broken ones. */
export function gitReferenceOf(source: string): GitReference | undefined {
  const parsed = parseGitReference(source);
  if (parsed.kind === "invalid") throw dockerfileError(parsed.problem);
  if (parsed.kind !== "git" || parsed.reference.indistinguishableFromLocal) return undefined;
  return parsed.reference;
}

/** What ADD's flags say of a repository. */
export type GitFlags = Pick<AddInstruction, "keepGitDir" | "checksum">;

/** A commit's files. Flags and the address must agree. */
export function gitState(
  reference: GitReference,
  flags: GitFlags,
  constraints: Constraints = {},
): State {
  const { remote, ref, subdir } = reference;
  if (
    reference.keepGitDir !== undefined &&
    (flags.keepGitDir ?? reference.keepGitDir) !== reference.keepGitDir
  ) {
    throw dockerfileError(
      "inconsistent keep-git-dir configuration",
      "Say it once: in the flag or in the address.",
    );
  }
  if (reference.checksum !== "" && flags.checksum !== "" && flags.checksum !== reference.checksum) {
    throw dockerfileError(`checksum mismatch "${flags.checksum}" != "${reference.checksum}"`);
  }
  const url = parseGitUrl(remote);
  const ssh = typeof url !== "string" && url.scheme === "ssh";
  return git(gitSourceId(remote, ref, subdir), {
    ...constraints,
    fullUrl: typeof url === "string" ? `https://${remote}` : remote,
    keepGitDir: reference.keepGitDir ?? flags.keepGitDir ?? false,
    checksum: reference.checksum || flags.checksum,
    skipSubmodules: reference.submodules === false,
    mtime: reference.mtime,
    fetchByCommit: reference.fetchByCommit,
    ...(ssh ? { ssh: {} } : {}),
  });
}

/** Copies a commit's files. */
export function gitStep(plan: CopyPlan, add: AddInstruction, reference: GitReference): FileStep {
  const { output } = gitState(reference, add, { name: plan.constraints.name });
  return {
    kind: "copy",
    ...(output ? { from: output } : {}),
    src: "/",
    dest: plan.destination,
    ...plan.common,
  };
}

/** Copies the file behind a URL. */
export function httpStep(plan: CopyPlan, add: AddInstruction, source: string): FileStep {
  const filename = filenameOf(source);
  const { output } = http(source, {
    filename,
    ...(add.checksum === "" ? {} : { checksum: checkedDigest(add.checksum) }),
    name: plan.constraints.name,
    description: { "com.docker.dockerfile.v1.command": "" },
  });
  return {
    kind: "copy",
    ...(output ? { from: output } : {}),
    src: joinPaths("/", filename),
    dest: plan.destination,
    attemptUnpack: add.unpack ?? false,
    ...plan.common,
  };
}

function checkedDigest(text: string): string {
  if (/^(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/.test(text)) return text;
  throw dockerfileError(
    `invalid checksum digest format: ${text}`,
    "Write --checksum=sha256:<64 hex>.",
  );
}

/** The name that a downloaded file gets: the last part of the URL's path. */
export function filenameOf(url: string): string {
  try {
    const base = posix.basename(decodeURIComponent(new URL(url).pathname));
    return base === "" ? "__unnamed__" : base;
  } catch {
    return "__unnamed__";
  }
}

/** The files of a context behind a URL; undefined where it is neither a repository nor a file. */
export function remoteContext(value: string): State | undefined {
  const parsed = parseGitReference(value);
  if (parsed.kind === "invalid") throw dockerfileError(parsed.problem);
  if (parsed.kind === "git") {
    return gitState(
      parsed.reference,
      { checksum: "" },
      { name: `[internal] load git source ${value}` },
    );
  }
  if (isGitTransport(value) && !/^https?:/.test(value)) return undefined;
  if (!isHttpSource(value)) return undefined;
  return http(value, { filename: "context", name: "[internal] load remote build context" });
}
