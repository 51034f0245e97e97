// What is said about a result, as files beside its own: in-toto statements about every file of it (D-63).
import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, extname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Bytes, type Call, goJson, throwIfAborted } from "../../../base/index.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../../formats/archive/index.ts";
import type { SolvedPlatform } from "../exporter.ts";

export interface AttestationFilesOptions {
  /** Before each file's name. */
  readonly prefix: string;
  /** Each platform has a directory of its own; else names say which platform they are about, where there are several. */
  readonly split: boolean;
  readonly several: boolean;
  /** Seconds; 0 where undefined. */
  readonly clamp: number | undefined;
}

/** Tar entries for one platform; none where nothing is said that belongs into directories. */
export async function* attestationFiles(
  { id, attestations = [] }: SolvedPlatform,
  root: string | undefined,
  { prefix, split, several, clamp }: AttestationFilesOptions,
  call: Call,
): Bytes {
  const wanted = attestations.filter(({ inlineOnly }) => !inlineOnly);
  if (wanted.length === 0) return;
  const platform = id.replaceAll("/", "_");
  const subject: unknown[] = [];
  for (const path of root === undefined ? [] : filesBelow(root, ""))
    subject.push({ name: path, digest: { sha256: await sha256(`${root}/${path}`, call) } });
  for (const { filename, predicateType, predicate } of wanted) {
    const type = "https://in-toto.io/Statement/v0.1";
    const statement = { _type: type, predicateType, subject, predicate: await predicate([], call) };
    const data = new TextEncoder().encode(goJson(statement, 2));
    const plain = prefix + basename(filename);
    const end = extname(plain);
    const named = split || !several ? plain : `${plain.slice(0, -end.length)}.${platform}${end}`;
    const path = split ? `${platform}/${named}` : named;
    const mtime = BigInt(clamp ?? 0) * 1_000_000_000n;
    const { length: size } = data;
    yield encodeTarHeader({ path, type: "file", mode: 0o600, uid: 0, gid: 0, size, mtime });
    yield data;
    yield tarEnd.subarray(0, tarPadding(size));
  }
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
