// What is said about a result, as files beside its own: in-toto statements about every file of it (D-63).
import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, extname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Call, goJson, KilnError, throwIfAborted } from "../../../base/index.ts";
import type { MadeFile } from "../../../storage/directory/index.ts";
import type { SolvedPlatform } from "../exporter.ts";
import { type StatementSubject, statementSubjects } from "../statement.ts";

export interface AttestationFilesOptions {
  /** Before each file's name. */
  readonly prefix: string;
  /** Each platform has a directory of its own; else names say which platform they are about, where there are several. */
  readonly split: boolean;
  readonly several: boolean;
}

/** For one platform; none where nothing is said that belongs into directories. Throws `EXPORT_FAILED` for two of one name. */
export async function attestationFiles(
  { id, attestations = [] }: SolvedPlatform,
  root: string | undefined,
  { prefix, split, several }: AttestationFilesOptions,
  call: Call,
): Promise<readonly MadeFile[]> {
  const wanted = attestations.filter(({ inlineOnly }) => !inlineOnly);
  if (wanted.length === 0) return [];
  const platform = id.replaceAll("/", "_");
  const own: StatementSubject[] = [];
  for (const path of root === undefined ? [] : filesBelow(root, ""))
    own.push({ name: path, digest: { sha256: await sha256(`${root}/${path}`, call) } });
  const files: MadeFile[] = [];
  for (const { filename, predicateType, predicate, subjects = [] } of wanted) {
    const subject = statementSubjects(subjects, own);
    const type = "https://in-toto.io/Statement/v0.1";
    const statement = { _type: type, predicateType, subject, predicate: await predicate([], call) };
    const data = new TextEncoder().encode(goJson(statement, 2));
    const plain = prefix + basename(filename);
    const end = extname(plain);
    const named = split || !several ? plain : `${plain.slice(0, -end.length)}.${platform}${end}`;
    const path = split ? `${platform}/${named}` : named;
    if (files.some((one) => one.path === path))
      throw new KilnError("EXPORT_FAILED", `duplicate attestation path name ${named}`);
    files.push({ path, data });
  }
  return files;
}

/** Regular files, sorted. */
function* filesBelow(root: string, path: string): Iterable<string> {
  for (const name of readdirSync(path === "" ? root : `${root}/${path}`).sort()) {
    const child = path === "" ? name : `${path}/${name}`;
    const stats = lstatSync(`${root}/${child}`);
    if (stats.isDirectory()) yield* filesBelow(root, child);
    else if (stats.isFile()) yield child;
  }
}

/** Synchronous: mounts are seen by the main thread only. Others get their turn between pieces. */
async function sha256(path: string, call: Call): Promise<string> {
  const hash = createHash("sha256");
  const piece = new Uint8Array(1024 * 1024);
  const file = openSync(path, "r");
  try {
    for (let read = -1; read !== 0; ) {
      throwIfAborted(call);
      read = readSync(file, piece);
      hash.update(piece.subarray(0, read));
      if (read === piece.length) await setImmediate();
    }
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}
