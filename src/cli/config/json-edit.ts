// Changing one member of a JSON text and leaving every other byte as it is.
import { goJson } from "../../base/index.ts";

interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

interface Member {
  readonly key: string;
  /** From the opening quote of the key to the end of the value. */
  readonly whole: Span;
  readonly value: Span;
}

interface ObjectSpan extends Span {
  readonly members: readonly Member[];
}

/**
 * The text with the member at `path` set; objects on the way are made where they are missing. The text must be valid JSON
 * with an object at the top; what stands in the way and is no object is replaced.
 */
export function setMember(text: string, path: readonly string[], value: unknown): string {
  const indent = /^[ \t]+(?=")/m.exec(text)?.[0] ?? "\t";
  return set(text, readObject(text, skipBlanks(text, 0)), path, value, indent, 0);
}

/** The text without the member at `path`; the same text where there is none. */
export function removeMember(text: string, path: readonly string[]): string {
  let object = readObject(text, skipBlanks(text, 0));
  for (const [depth, key] of path.entries()) {
    const member = object.members.findLast((one) => one.key === key);
    if (!member) return text;
    if (depth === path.length - 1) return cut(text, object, member);
    if (text[member.value.start] !== "{") return text;
    object = readObject(text, member.value.start);
  }
  return text;
}

function set(
  text: string,
  object: ObjectSpan,
  [key = "", ...rest]: readonly string[],
  value: unknown,
  indent: string,
  depth: number,
): string {
  // As JSON.parse: of several members of one name, the last one counts.
  const member = object.members.findLast((one) => one.key === key);
  if (member && rest.length > 0 && text[member.value.start] === "{")
    return set(text, readObject(text, member.value.start), rest, value, indent, depth + 1);
  const inner = rest.reduceRight<unknown>((wrapped, name) => ({ [name]: wrapped }), value);
  const written = goJson(inner, indent).replaceAll("\n", `\n${indent.repeat(depth + 1)}`);
  if (member) return splice(text, member.value, written);
  const added = `${goJson(key)}: ${written}`;
  const last = object.members.at(-1);
  const pad = `\n${indent.repeat(depth + 1)}`;
  if (last) return splice(text, { start: last.whole.end, end: last.whole.end }, `,${pad}${added}`);
  return splice(text, object, `{${pad}${added}\n${indent.repeat(depth)}}`);
}

/** With the comma that goes with it. */
function cut(text: string, { members, start }: ObjectSpan, member: Member): string {
  const at = members.indexOf(member);
  const [before, after] = [members[at - 1], members[at + 1]];
  if (after && !before)
    return splice(text, { start: member.whole.start, end: after.whole.start }, "");
  const from = before ? before.whole.end : start + 1;
  const end = before ? member.whole.end : text.indexOf("}", member.whole.end);
  return splice(text, { start: from, end }, "");
}

function splice(text: string, { start, end }: Span, written: string): string {
  return text.slice(0, start) + written + text.slice(end);
}

function skipBlanks(text: string, at: number): number {
  let next = at;
  while (/[\s\uFEFF]/.test(text[next] ?? "")) next++;
  return next;
}

/** `at` is the opening brace of an object in valid JSON. */
function readObject(text: string, at: number): ObjectSpan {
  const members: Member[] = [];
  for (let next = skipBlanks(text, at + 1); text[next] !== "}"; ) {
    const keyEnd = endOfValue(text, next);
    const key = JSON.parse(text.slice(next, keyEnd)) as string;
    const start = skipBlanks(text, skipBlanks(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    members.push({ key, whole: { start: next, end }, value: { start, end } });
    const after = skipBlanks(text, end);
    if (text[after] !== ",") return { start: at, end: after + 1, members };
    next = skipBlanks(text, after + 1);
  }
  return { start: at, end: text.indexOf("}", at) + 1, members };
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === '"') {
      at++;
      while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      if (depth === 0) return at + 1;
    } else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (depth === 0) return at;
      depth--;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && /[\s,:]/.test(char)) return at;
  }
  return text.length;
}
