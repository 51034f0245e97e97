// From an instruction's text to its words: one splitting rule for each keyword.
import type { EscapeToken } from "./directives.ts";
import { parseJsonForm } from "./json-form.ts";
import { splitPairs } from "./split.ts";
import { isSpace, quote, splitBlanks } from "./text.ts";

/** The words of an instruction, or what is wrong with its text. */
export type Arguments =
  | { readonly args: readonly string[]; readonly json: boolean }
  | { readonly mistake: string; readonly word?: string; readonly hint?: string };

type Splitter = (rest: string, token: EscapeToken, keyword: string) => Arguments;

/** What follows an unknown keyword is not looked at: one empty word stands for it. */
export const unknownSplitter: Splitter = () => words([""]);

/** How each keyword (in lower case) splits what follows it; ONBUILD is not here, it holds an instruction. */
export const splitters: Readonly<Record<string, Splitter>> = {
  add: jsonOr(byBlanks),
  arg: (rest, token) => words(splitPairs(rest, token)),
  cmd: jsonOr(whole),
  copy: jsonOr(byBlanks),
  entrypoint: jsonOr(whole),
  env: pairs,
  expose: (rest) => words(byBlanks(rest)),
  from: (rest) => words(byBlanks(rest)),
  healthcheck,
  label: pairs,
  maintainer: (rest) => words(whole(rest)),
  run: jsonOr(whole),
  shell: jsonOr(whole),
  stopsignal: (rest) => words(whole(rest)),
  user: (rest) => words(whole(rest)),
  volume: jsonOr(byBlanks),
  workdir: (rest) => words(whole(rest)),
};

function words(args: readonly string[]): Arguments {
  return { args, json: false };
}

function whole(rest: string): readonly string[] {
  return rest === "" ? [] : [rest];
}

function byBlanks(rest: string): readonly string[] {
  return rest === "" ? [] : splitBlanks(rest);
}

function jsonOr(split: (rest: string) => readonly string[]): Splitter {
  return (rest) => {
    const json = parseJsonForm(rest);
    if (typeof json === "string") {
      return {
        mistake: json,
        word: rest,
        hint: 'Put everything in double quotes: ["serve", "8080"].',
      };
    }
    return json === undefined ? words(split(rest)) : { args: json, json: true };
  };
}

/** `TYPE` and then a command in either form. */
function healthcheck(rest: string): Arguments {
  let end = 0;
  while (end < rest.length && !isSpace(rest.charCodeAt(end))) end++;
  if (end === 0) return words([]);
  let next = end;
  while (next < rest.length && isSpace(rest.charCodeAt(next))) next++;
  const command = jsonOr(whole)(rest.slice(next), "\\", "HEALTHCHECK");
  return "mistake" in command
    ? command
    : { ...command, args: [rest.slice(0, end), ...command.args] };
}

/** Triples of key, value and "="; or one triple with "" for the legacy form `KEY value to the end`. */
function pairs(rest: string, token: EscapeToken, keyword: string): Arguments {
  const parts = splitPairs(rest, token);
  const [first] = parts;
  if (first === undefined) return words([]);
  if (!first.includes("=")) {
    const [key = "", value] = splitBlanks(rest, 2);
    if (value === undefined) {
      const mistake = `${keyword.toUpperCase()} must have two arguments`;
      return { mistake, word: key, hint: `Write ${keyword} ${key}=<value>.` };
    }
    return words([key, value, ""]);
  }
  const args: string[] = [];
  for (const part of parts) {
    const sign = part.indexOf("=");
    if (sign === -1) {
      const mistake = `Syntax error - can't find = in ${quote(part)}. Must be of the form: name=value`;
      const hint = "Put a value that holds blanks in quotes, or give each name a value.";
      return { mistake, word: part, hint };
    }
    args.push(part.slice(0, sign), part.slice(sign + 1), "=");
  }
  return words(args);
}
