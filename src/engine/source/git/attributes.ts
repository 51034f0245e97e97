// What a git source asks for: the identifier `git://host/path[#ref[:subdir]]` and its attributes (BuildKit source/git).
import { KilnError } from "../../../base/index.ts";
import type { SourceId } from "../source.ts";
import type { SignatureDemand } from "./signature.ts";

export interface GitRequest {
  readonly remote: string;
  /** Branch, tag, full ref or commit; empty is the remote's default branch. */
  readonly ref: string;
  /** Only this directory of the repository; empty is all of it. */
  readonly subdir: string;
  readonly keepGitDir: boolean;
  /** Commit, or the first digits of one, that the ref must stand for. */
  readonly checksum: string;
  readonly submodules: boolean;
  /** Times of the files: of the check-out, or of the commit. */
  readonly mtime: "checkout" | "commit";
  readonly fetchByCommit: boolean;
  readonly tokenSecret: string;
  readonly headerSecret: string;
  readonly knownHosts: string;
  readonly sshAgent: string;
  /** Who must have signed the commit or its tag. */
  readonly signature: SignatureDemand | undefined;
}

const remotePattern = /^(https?|ssh|git):\/\/[^\s]+$/;
const scpPattern = /^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^\s]+$/;

/**
 * Throws `DEFINITION_INVALID` for what git could take for an option or another protocol, and for demands on signatures that
 * are not understood: they must not go unchecked.
 */
export function parseGitRequest(id: SourceId): GitRequest {
  const { attrs } = id;
  const [path = "", fragment = ""] = splitOnce(id.rest, "#");
  const [ref = "", subdir = ""] = splitOnce(fragment, ":");
  const remote = attrs["git.fullurl"] || `https://${path}`;
  if (!remotePattern.test(remote) && !scpPattern.test(remote)) {
    throw invalid(
      `the git remote ${JSON.stringify(remote)} is not a URL of http, https, ssh or git`,
    );
  }
  if (ref.startsWith("-") || /[\s~^:?*[\\]|\.\./.test(ref)) {
    throw invalid(`${JSON.stringify(ref)} is not a git ref`);
  }
  const checksum = attrs["git.checksum"] ?? "";
  if (checksum !== "" && !/^[0-9a-f]{7,64}$/.test(checksum)) {
    throw invalid(`${JSON.stringify(checksum)} is not a git commit`);
  }
  return {
    remote,
    ref,
    subdir: subdir === "." ? "" : subdir,
    keepGitDir: attrs["git.keepgitdir"] === "true",
    checksum,
    submodules: attrs["git.skipsubmodules"] !== "true",
    mtime: parseMtime(attrs["git.mtime"]),
    fetchByCommit: attrs["git.fetchbycommit"] === "true",
    tokenSecret: attrs["git.authtokensecret"] ?? "",
    headerSecret: attrs["git.authheadersecret"] ?? "",
    knownHosts: attrs["git.knownsshhosts"] ?? "",
    sshAgent: attrs["git.mountsshsock"] ?? "",
    signature: parseSignature(attrs),
  };
}

function parseMtime(text: string | undefined): GitRequest["mtime"] {
  if (text === undefined || text === "" || text === "checkout") return "checkout";
  if (text === "commit") return "commit";
  throw invalid(`git.mtime must be checkout or commit, not ${JSON.stringify(text)}`);
}

const signaturePrefix = "git.sig.";
const signatureSwitches: readonly string[] = [
  "rejectexpired",
  "requiresignedtag",
  "ignoresignedtag",
];

function parseSignature(attrs: SourceId["attrs"]): SignatureDemand | undefined {
  const given = new Map(
    Object.entries(attrs).flatMap(([name, value]) =>
      name.startsWith(signaturePrefix) ? [[name.slice(signaturePrefix.length), value]] : [],
    ),
  );
  if (given.size === 0) return undefined;
  for (const [name, value] of given) {
    if (name === "pubkey") continue;
    if (!signatureSwitches.includes(name)) throw invalid(`git.sig.${name} is not known`);
    if (!["", "true", "false"].includes(value))
      throw invalid(`git.sig.${name} must be true or false, not ${JSON.stringify(value)}`);
  }
  const keys = given.get("pubkey") ?? "";
  if (keys.trim() === "") throw invalid("a signature is demanded, and git.sig.pubkey is missing");
  const says = (name: string) => given.get(name) === "true";
  const [must, ignored] = [says("requiresignedtag"), says("ignoresignedtag")];
  if (must && ignored)
    throw invalid("git.sig.requiresignedtag and git.sig.ignoresignedtag exclude each other");
  return {
    keys,
    rejectExpired: says("rejectexpired"),
    tag: must ? "must" : ignored ? "ignored" : "may",
  };
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function invalid(message: string): KilnError {
  return new KilnError("DEFINITION_INVALID", message);
}

/** Whether a ref is a commit's whole name. */
export function isCommit(ref: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);
}
