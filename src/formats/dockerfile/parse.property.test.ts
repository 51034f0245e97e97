// What holds for every text: the lexer and the parser end without a crash, and a printed tree parses to itself.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DockerfileTree, InstructionNode } from "./ast.ts";
import { parseDockerfile, parseText } from "./parse.ts";
import { printDockerfile } from "./print.ts";
import { createLexer, ExpansionError } from "./shell-words.ts";
import { readInstructions } from "./stages.ts";

const pieces = [
  "FROM",
  "RUN",
  "COPY",
  "ENV",
  "ARG",
  "ONBUILD",
  "LABEL",
  "HEALTHCHECK",
  "CMD",
  "NONE",
  "copy",
  "x",
  " ",
  "  ",
  "\t",
  "\n",
  "\r\n",
  "\r",
  "\\",
  "\\\n",
  "\\ \n",
  "`",
  "`\n",
  "#",
  "# ",
  "# escape=`\n",
  "# syntax=a b\n",
  "# check=skip=all\n",
  "<<EOF",
  "<<-EOF",
  '<<"E F"',
  "<<",
  "\nEOF\n",
  "\n\tEOF\n",
  "3<<E",
  "--from=a",
  "--",
  "--mount=type=",
  "=",
  "a=b",
  '"',
  "'",
  "[",
  "]",
  '["a", "b"]',
  "[1]",
  "{",
  "}",
  "$",
  "${",
  "${a",
  "${a:-",
  "${a#",
  "${a//",
  "/",
  "*",
  "?",
  ":",
  "@",
  ",",
  "\0",
  "\ufeff",
  "\u00a0",
  "\u0085",
  "\u2028",
  "é",
  "𝄞",
  "\ud800",
  "AS",
  "%",
];
const texts = fc
  .array(fc.constantFrom(...pieces), { maxLength: 40 })
  .map((parts) => parts.join(""));
const variables = fc.dictionary(fc.constantFrom("a", "b", "PATH"), fc.string({ maxLength: 8 }));

describe("the parser", () => {
  it("ends without a crash on any text", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { value } = parseText(text);
        readInstructions(value.instructions);
      }),
      { numRuns: 3000 },
    );
  });

  it("ends without a crash on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        const { value } = parseDockerfile(data);
        readInstructions(value.instructions);
      }),
      { numRuns: 1000 },
    );
  });

  it("reads a printed tree as it was", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { value } = parseText(text);
        const printed = printDockerfile(value);
        const again = parseText(printed);
        expect(bare(again.value)).toEqual(bare(value));
        expect(printDockerfile(again.value)).toBe(printed);
      }),
      { numRuns: 3000, examples: [["\\\n\t\\\n"]] },
    );
  });

  it("gives every instruction lines of the file, in order", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const last = text.split("\n").length;
        let before = 0;
        for (const { lines } of parseText(text).value.instructions) {
          expect(lines.start).toBeGreaterThan(before);
          expect(lines.end).toBeGreaterThanOrEqual(lines.start);
          expect(lines.end).toBeLessThanOrEqual(last);
          before = lines.end;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the lexer", () => {
  it("ends with words or an expansion error on any word", () => {
    fc.assert(
      fc.property(texts, variables, fc.boolean(), fc.boolean(), (word, values, raw, skipUnset) => {
        const lexer = createLexer({ escape: "\\", rawQuotes: raw, rawEscapes: raw, skipUnset });
        try {
          lexer.expand(word, (name) => values[name]);
        } catch (error) {
          expect(error).toBeInstanceOf(ExpansionError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("leaves a word as it is when nothing in it is special", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\w/:.=-]*$/), (word) => {
        const { word: same } = createLexer({ escape: "\\" }).expand(word, () => undefined);
        expect(same).toBe(word);
      }),
    );
  });
});

/** Without what printing does not keep: line numbers. */
function bare(tree: DockerfileTree): unknown {
  return {
    escape: tree.escape,
    directives: tree.directives.map(({ name, value }) => ({ name, value })),
    instructions: tree.instructions.map(bareNode),
  };
}

function bareNode({ lines: _, trigger, ...node }: InstructionNode): unknown {
  return { ...node, trigger: trigger && bareNode(trigger) };
}
