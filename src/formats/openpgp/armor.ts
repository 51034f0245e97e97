// ASCII armor (RFC 9580, section 6): OpenPGP data as text, with lines that say where it begins and what it is.
import { openPgpInvalid } from "./failure.ts";

export interface ArmoredBlock {
  /** What stands after `BEGIN PGP`: `SIGNATURE`, `PUBLIC KEY BLOCK`. */
  readonly kind: string;
  readonly data: Uint8Array;
}

const begin = /^-----BEGIN PGP ([A-Z][A-Z ,/0-9]{0,40})-----$/;

/** Larger keys and signatures are not read, in bytes. */
export const maxOpenPgpSize: number = 4 * 1024 * 1024;

/**
 * The blocks of a text; words around them do not matter. The checksum is not compared: a reader must not depend on it
 * (RFC 9580, 6.1). Throws `SIGNATURE_INVALID` for a block without an end, or with other letters than base64's.
 */
export function readArmor(text: string): readonly ArmoredBlock[] {
  const blocks: ArmoredBlock[] = [];
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  for (let at = 0; at < lines.length; at++) {
    const kind = begin.exec(lines[at] ?? "")?.[1];
    if (kind === undefined) continue;
    const end = lines.indexOf(`-----END PGP ${kind}-----`, at);
    if (end === -1) throw openPgpInvalid(`the armored ${kind} has no end`);
    blocks.push({ kind, data: decode(lines.slice(at + 1, end), kind) });
    at = end;
  }
  return blocks;
}

function decode(lines: readonly string[], kind: string): Uint8Array {
  // Headers end with an empty line; some writers leave out both.
  const blank = lines.indexOf("");
  const body = lines.slice(blank === -1 ? 0 : blank + 1).filter((line) => !/^=[^=]{4}$/.test(line));
  const base64 = body.join("");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    throw openPgpInvalid(`the armored ${kind} is not base64`);
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** The data of all blocks of these kinds; bytes that are no armor are taken as they are. Throws `SIGNATURE_INVALID`. */
export function dearmored(data: Uint8Array, kinds: readonly string[]): readonly Uint8Array[] {
  if (data.length > maxOpenPgpSize)
    throw openPgpInvalid(`more than ${maxOpenPgpSize} bytes of OpenPGP data`);
  // The first bit of every packet is set, which no letter has.
  if ((data[0] ?? 0) >= 0x80) return [data];
  const blocks = readArmor(new TextDecoder().decode(data));
  const foreign = blocks.find(({ kind }) => !kinds.includes(kind));
  if (foreign) throw openPgpInvalid(`an armored ${foreign.kind} stands where a ${kinds[0]} must`);
  if (blocks.length === 0) throw openPgpInvalid(`there is no armored ${kinds[0]}`);
  return blocks.map((block) => block.data);
}
