// Names of builders and nodes: which are allowed, and one by chance where the user gave none.
import { KilnError } from "../../base/index.ts";

const namePattern = /^[a-zA-Z][a-zA-Z0-9._-]*$/;

/** The name itself. Throws `FLAG_INVALID` for one that could not be a file's or a container's. */
export function checkBuilderName(name: string): string {
  if (namePattern.test(name) && name.length <= 200) return name;
  const message = `invalid name ${name}, name needs to start with a letter and may not contain symbols, except ._-`;
  throw new KilnError("FLAG_INVALID", message);
}

/** An adjective and the family name of somebody who made something; `random` gives numbers from 0 to below 1. */
export function randomBuilderName(random: () => number): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "kiln";
  return `${pick(adjectives)}_${pick(makers)}`;
}

const adjectives = [
  "amber",
  "bold",
  "brave",
  "bright",
  "calm",
  "clear",
  "clever",
  "eager",
  "early",
  "earnest",
  "fired",
  "gentle",
  "glad",
  "glazed",
  "golden",
  "happy",
  "honest",
  "keen",
  "kind",
  "lively",
  "lucid",
  "merry",
  "mighty",
  "modest",
  "neat",
  "nimble",
  "patient",
  "plain",
  "proud",
  "quick",
  "quiet",
  "ready",
  "serene",
  "sharp",
  "silent",
  "simple",
  "steady",
  "sturdy",
  "sunny",
  "swift",
  "tidy",
  "trusty",
  "upright",
  "vivid",
  "warm",
  "wise",
  "witty",
  "young",
] as const;

const makers = [
  "albers",
  "aitken",
  "babbage",
  "boole",
  "brunel",
  "cassatt",
  "cooper",
  "curie",
  "darwin",
  "eames",
  "eiffel",
  "euler",
  "faraday",
  "fermi",
  "galilei",
  "gauss",
  "gropius",
  "hamada",
  "hopper",
  "hypatia",
  "kepler",
  "kovalevskaya",
  "leach",
  "liskov",
  "lovelace",
  "martinez",
  "maxwell",
  "meitner",
  "mendel",
  "morris",
  "newton",
  "noether",
  "palissy",
  "pascal",
  "perlman",
  "planck",
  "ptolemy",
  "raman",
  "ritchie",
  "rie",
  "shannon",
  "somerville",
  "telford",
  "thompson",
  "torvalds",
  "turing",
  "watt",
  "wedgwood",
] as const;
