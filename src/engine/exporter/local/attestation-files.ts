// What is said about a result, as files beside its own: in-toto statements about every file of it (D-63).
import { createHash } from "node:crypto";
import { createReadStream, lstatSync, readdirSync } from "node:fs";
import { basename, extname } from "node:path";
import { type Bytes, type Call, goJson } from "../../../base/index.ts";
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

async function sha256(path: string, { signal }: Call): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
