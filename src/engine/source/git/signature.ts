// Whether a commit, or the tag that names it, was signed by one of the keys that its source names (BuildKit git.sig.*).
import { type Call, KilnError } from "../../../base/index.ts";
import { readSignedCommit, readSignedTag, type SignedObject } from "../../../formats/git/index.ts";
import { git, gitBytes } from "./git-process.ts";

/** Who must have signed, and what. */
export interface SignatureDemand {
  /** OpenPGP keys, armored, or SSH keys, one a line. */
  readonly keys: string;
  /** Keys that have expired by now do not count, not even for what they signed before. */
  readonly rejectExpired: boolean;
  /** Whether the signature of a tag may stand for the commit's, must, or counts for nothing. */
  readonly tag: "may" | "must" | "ignored";
}

export interface SignedCommit {
  readonly remote: string;
  /** Bare repository that has the commit, and the tag if there is one. */
  readonly repository: string;
  readonly commit: string;
  /** What the ref names: the commit, or a tag of it. */
  readonly object: string;
}

/**
 * Throws `SIGNATURE_INVALID` unless one of the keys made the tag's or the commit's signature. What the tag is called is
 * not looked at, as in the reference: who may move refs chooses among all that was ever signed.
 */
export async function checkGitSignature(
  { keys, rejectExpired, tag }: SignatureDemand,
  signed: SignedCommit,
  call: Call,
): Promise<void> {
  const { commit, object } = signed;
  const check = (what: string, found: SignedObject | undefined) =>
    signerOf(found, keys, rejectExpired).then(
      () => undefined,
      (error: unknown) => `${what}: ${reasonOf(error)}`,
    );
  const reasons: string[] = [];
  if (tag !== "ignored") {
    const reason = await check("tag", await readTag(signed, call));
    if (reason === undefined) return;
    if (tag === "must" || object !== commit) reasons.push(reason);
  }
  if (tag !== "must") {
    const bytes = await objectBytes("commit", commit, signed, call);
    const reason = await check(`commit ${commit}`, readSignedCommit(bytes, commit));
    if (reason === undefined) return;
    reasons.push(reason);
  }
  throw new KilnError(
    "SIGNATURE_INVALID",
    `${signed.remote}: no signature of a given key: ${reasons.join("; ")}`,
    { hint: "Name a commit or tag that was signed, and the key that signed it." },
  );
}

/** Undefined where the ref names no tag. The remote's word for what a tag stands for is not taken. */
async function readTag(signed: SignedCommit, call: Call): Promise<SignedObject | undefined> {
  const { repository, commit, object, remote } = signed;
  if (object === commit) return undefined;
  const doing = `reading tag ${object}`;
  const peeled = await git(
    ["-C", repository, "rev-parse", "--verify", `${object}^{commit}`],
    { doing },
    call,
  );
  if (peeled.trim() === commit)
    return readSignedTag(await objectBytes("tag", object, signed, call));
  throw new KilnError(
    "SIGNATURE_INVALID",
    `${remote}: the tag ${object} is one of commit ${peeled.trim()}, not of ${commit}`,
  );
}

function objectBytes(
  type: "commit" | "tag",
  id: string,
  { repository }: SignedCommit,
  call: Call,
): Promise<Uint8Array> {
  return gitBytes(
    ["-C", repository, "cat-file", type, id],
    { doing: `reading ${type} ${id}` },
    call,
  );
}

/** Rejects unless a key signed. Few builds have signatures: what checks them is loaded here. */
async function signerOf(
  object: SignedObject | undefined,
  keys: string,
  rejectExpired: boolean,
): Promise<void> {
  if (!object || object.signature === "")
    throw new KilnError("SIGNATURE_INVALID", "there is no signature");
  const { payload, signature } = object;
  if (signature.startsWith("-----BEGIN SSH SIGNATURE-----")) {
    const { checkSshSignature } = await import("../../../formats/ssh/index.ts");
    checkSshSignature(signature, keys, payload, "git");
    return;
  }
  const { DetachedCheck } = await import("../../../formats/openpgp/index.ts");
  const bytes = (text: string) => new TextEncoder().encode(text);
  const options = { now: new Date(), rejectExpired };
  const check = new DetachedCheck(bytes(signature), bytes(keys), options);
  check.update(payload);
  check.finish();
}

function reasonOf(error: unknown): string {
  if (error instanceof KilnError && error.code === "SIGNATURE_INVALID") return error.message;
  throw error;
}
