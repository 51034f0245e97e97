// The shapes in which a secret may turn up in a log: itself, its lines, its base64 wherever it begins.
import { Buffer } from "node:buffer";

/** Shorter values are parts of ordinary words. */
const shortestSecret = 4;
/** Lines of a secret that has several: shorter ones are brackets and the like. */
const shortestLine = 8;
/** Parts of base64 that were cut out of longer base64. */
const shortestPart = 6;
/** Longer secrets are looked for in pieces. */
const longestForm = 1024;
/** Where `base64` breaks its lines. */
const base64Columns = 76;

/** All forms, the most telling first, each once. */
export function secretForms(secret: Uint8Array): readonly Uint8Array[] {
  const value = trimmed(Buffer.from(secret));
  if (value.length < shortestSecret) return [];
  const text = value.toString("utf8");
  const forms = [
    ...pieces(value),
    ...linesOf(text).flatMap((line) => pieces(Buffer.from(line))),
    ...escaped(text),
    // Files are encoded with the line break at their end, variables without.
    ...base64Forms(value),
    ...(secret.length === value.length ? [] : base64Forms(Buffer.from(secret))),
  ];
  return [...new Map(forms.map((form) => [form.toString("latin1"), form])).values()];
}

function trimmed(data: Buffer): Buffer {
  const blank = (byte: number | undefined) =>
    byte !== undefined && (byte === 32 || (byte >= 9 && byte <= 13));
  let start = 0;
  let end = data.length;
  while (start < end && blank(data[start])) start++;
  while (end > start && blank(data[end - 1])) end--;
  return data.subarray(start, end);
}

function pieces(data: Buffer): Buffer[] {
  const count = Math.ceil(data.length / longestForm);
  return Array.from({ length: count }, (_, at) =>
    data.subarray(at * longestForm, (at + 1) * longestForm),
  ).filter((piece, at) => at === 0 || piece.length >= shortestSecret);
}

/** Lines of a key file and the like. What frames a key (`-----BEGIN …`) is no secret. */
function linesOf(text: string): string[] {
  if (!text.includes("\n")) return [];
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length >= shortestLine && !line.startsWith("-----"));
}

/** As parts of URLs and of JSON. */
function escaped(text: string): Buffer[] {
  if (text.length > longestForm) return [];
  const forms = [encodeURIComponent(text), JSON.stringify(text).slice(1, -1)];
  return forms.filter((form) => form !== text).map((form) => Buffer.from(form));
}

/** Alone, and as part of something longer: base64 turns three bytes into four letters, so that there are three ways. */
function base64Forms(value: Buffer): Buffer[] {
  const whole = value.toString("base64");
  const parts = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), value]).toString("base64");
    const first = Math.ceil((before * 8) / 6);
    return encoded.slice(first, Math.floor(((before + value.length) * 8) / 6));
  });
  const lines = whole.length > base64Columns ? (whole.match(/.{1,76}/g) ?? []) : [];
  const all = [
    whole,
    whole.replace(/=+$/, ""),
    ...[...parts, ...lines].filter((part) => part.length >= shortestPart),
  ];
  const urlSafe = all.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"));
  return [...all, ...urlSafe].flatMap((form) => pieces(Buffer.from(form)));
}
