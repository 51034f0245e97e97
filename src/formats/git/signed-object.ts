// Commits and tags as git stores them: what of their bytes is signed, and the signature in them (gitformat-signature).

export interface SignedObject {
  /** What the signature is made over. */
  readonly payload: Uint8Array;
  /** Armored; empty where the object is not signed. */
  readonly signature: string;
  /** Values of its header by name, such as `object` and `type` of a tag; the first where there are several. */
  readonly header: ReadonlyMap<string, string>;
}

/** From the first byte of a line to behind its line end. */
interface Line {
  readonly from: number;
  readonly to: number;
}

const newline = 0x0a;
const space = 0x20;

/** Headers that hold signatures: of the object as SHA-1 repositories have it, and as SHA-256 ones do. */
const signatureHeaders = { 40: "gpgsig", 64: "gpgsig-sha256" } as const;

/** How signatures begin that stand at the end of a tag. */
const beginnings: readonly string[] = [
  "-----BEGIN PGP SIGNATURE-----",
  "-----BEGIN PGP MESSAGE-----",
  "-----BEGIN SSH SIGNATURE-----",
  "-----BEGIN SIGNED MESSAGE-----",
];

/**
 * A commit has its signature in a header; none of those headers is signed. `id` is the commit's: its length tells which of
 * them counts. Undefined where that stands there more than once.
 */
export function readSignedCommit(bytes: Uint8Array, id: string): SignedObject | undefined {
  const wanted = signatureHeaders[id.length === 64 ? 64 : 40];
  const names: readonly string[] = Object.values(signatureHeaders);
  const fields = headerFields(bytes);
  const found = fields.filter(({ name }) => name === wanted);
  if (found.length > 1) return undefined;
  const kept: Uint8Array[] = [];
  let at = 0;
  for (const { name, from, to } of fields) {
    if (!names.includes(name)) continue;
    kept.push(bytes.subarray(at, from));
    at = to;
  }
  kept.push(bytes.subarray(at));
  return { payload: joined(kept), signature: found[0]?.value ?? "", header: valuesOf(fields) };
}

/** A tag's signature is the end of its message, from the last line on that begins one. */
export function readSignedTag(bytes: Uint8Array): SignedObject {
  const fields = headerFields(bytes);
  let start = bytes.length;
  for (const { from, to } of linesOf(bytes, fields.at(-1)?.to ?? 0)) {
    const text = textOf(bytes.subarray(from, Math.min(to, from + 64))).trimEnd();
    if (beginnings.includes(text)) start = from;
  }
  return {
    payload: bytes.subarray(0, start),
    signature: textOf(bytes.subarray(start)),
    header: valuesOf(fields),
  };
}

interface Field extends Line {
  readonly name: string;
  readonly value: string;
}

/** All before the first empty line. A line that begins with a space goes on with the field above it. */
function headerFields(bytes: Uint8Array): readonly Field[] {
  const fields: Field[] = [];
  for (const { from, to } of linesOf(bytes, 0)) {
    if (bytes[from] === newline) break;
    const line = textOf(bytes.subarray(from, to)).replace(/\n$/, "");
    const last = fields.at(-1);
    if (bytes[from] === space && last) {
      fields[fields.length - 1] = { ...last, to, value: `${last.value}\n${line.slice(1)}` };
      continue;
    }
    const cut = line.indexOf(" ");
    const name = cut === -1 ? line : line.slice(0, cut);
    fields.push({ from, to, name, value: cut === -1 ? "" : line.slice(cut + 1) });
  }
  return fields;
}

function* linesOf(bytes: Uint8Array, start: number): Iterable<Line> {
  for (let from = start; from < bytes.length; ) {
    const end = bytes.indexOf(newline, from);
    const to = end === -1 ? bytes.length : end + 1;
    yield { from, to };
    from = to;
  }
}

function valuesOf(fields: readonly Field[]): ReadonlyMap<string, string> {
  return new Map(fields.toReversed().map(({ name, value }) => [name, value]));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
