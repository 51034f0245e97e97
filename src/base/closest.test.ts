// Which word was meant.
import { expect, it } from "vitest";
import { closest } from "./closest.ts";

const words = ["build", "builder", "until", "tty", "plain", "platform", "run"];
const cases: [string, string | undefined][] = [
  ["biuld", "build"],
  ["BUILD", "build"],
  ["bild", "build"],
  ["buildx", "build"],
  ["unitl", "until"],
  ["tyt", "tty"],
  ["pltform", "platform"],
  ["rnu", "run"],
  ["x", undefined],
  ["deploy", undefined],
  ["", undefined],
];
it.each(cases)("%j means %j", (word, meant) => expect(closest(word, words)).toBe(meant));
