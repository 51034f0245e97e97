// Files made to hurt: each is refused or read in bounded time, and never crashes.
import { describe, expect, it } from "vitest";
import {
  MAX_DOCKERFILE_BYTES,
  MAX_INSTRUCTIONS,
  MAX_PROBLEMS,
  parseDockerfile,
  parseText,
} from "./parse.ts";
import { createLexer, ExpansionError, MAX_NESTING } from "./shell-words.ts";
import { readInstructions } from "./stages.ts";

const lexer = createLexer({ escape: "\\" });
const unset = () => undefined;

/** Runs `work`, which may take `limit` milliseconds on a slow machine, and gives its answer. */
function within<Value>(limit: number, work: () => Value): Value {
  const start = performance.now();
  const value = work();
  expect(performance.now() - start).toBeLessThan(limit);
  return value;
}

function readAll(text: string) {
  const { value, problems } = parseText(text);
  const read = readInstructions(value.instructions);
  return { ...read, problems: [...problems, ...read.problems], instructions: value.instructions };
}

describe("a Dockerfile that is too large", () => {
  it("is refused by its size alone", () => {
    const data = new Uint8Array(100 * 1024 * 1024);
    const { problems } = within(200, () => parseDockerfile(data));
    expect(problems[0]?.message).toContain(`${MAX_DOCKERFILE_BYTES}`);
  });

  it("is refused at the line that is too long", () => {
    const text = `FROM x\nRUN ${"a".repeat(10_000_000)}\nRUN b\n`;
    const { problems } = within(1000, () => parseText(text));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ at: [{ start: 2, end: 2 }] });
    expect(problems[0]?.message).toContain("65535");
  });

  it("takes the longest line that is allowed and no byte more", () => {
    const fits = `FROM x\nRUN ${"a".repeat(65_531)}`;
    expect(parseText(fits).problems).toEqual([]);
    expect(parseText(`${fits}a`).problems).toHaveLength(1);
    expect(parseText(`FROM x\nRUN ${"é".repeat(32_766)}`).problems).toHaveLength(1);
  });

  it("is refused when it has too many instructions", () => {
    const { problems } = within(5000, () => readAll("RUN x\n".repeat(2_000_000)));
    expect(problems[0]?.message).toContain(`${MAX_INSTRUCTIONS}`);
  });

  it("is told a bounded number of mistakes", () => {
    const { problems } = within(5000, () => readAll("x\n".repeat(2_000_000)));
    expect(problems.length).toBeLessThanOrEqual(MAX_PROBLEMS + 2);
  });
});

describe("a Dockerfile of odd characters", () => {
  it("keeps NUL characters", () => {
    expect(readAll("FROM a\0b\nRUN \0\n").problems).toEqual([]);
  });

  it("reads each byte that is not UTF-8 as one replacement mark", () => {
    const bytes = [...new TextEncoder().encode("FROM a"), 0xff, 0xe2, 0x82, 0x0a];
    const { value } = parseDockerfile(Uint8Array.from(bytes));
    expect(value.instructions[0]?.args).toEqual(["a\ufffd\ufffd\ufffd"]);
  });

  it("reads ten million bytes that are not UTF-8 within seconds", () => {
    const data = new Uint8Array(10_000_000).fill(0xff);
    for (let at = 0; at < data.length; at += 1000) data[at] = 0x0a;
    const { value } = within(10_000, () => parseDockerfile(data));
    expect(value.text.length).toBe(data.length);
  });

  it("drops a byte order mark", () => {
    const bytes = [0xef, 0xbb, 0xbf, ...new TextEncoder().encode("FROM a\n")];
    expect(parseDockerfile(Uint8Array.from(bytes)).value.instructions[0]?.keyword).toBe("FROM");
  });
});

describe("an instruction without end", () => {
  it("joins a million lines", () => {
    const text = `FROM x\nRUN a ${"\\\n b ".repeat(1_000_000)}`;
    const { instructions, problems } = within(8000, () => readAll(text));
    expect(problems).toEqual([]);
    expect(instructions[1]?.lines).toEqual({ start: 2, end: 1_000_002 });
  });

  it("passes over a million comments and empty lines inside", () => {
    const text = `FROM x\nRUN a ${"\\\n#\n\n".repeat(10)}${"#\n\n".repeat(1_000_000)} b\n`;
    const { instructions } = within(8000, () => readAll(text));
    expect(instructions[1]?.original).toBe("RUN a  b");
  });

  it("names the heredoc that is never closed", () => {
    const text = `FROM x\nRUN <<EOF\n${"a\n".repeat(1_000_000)}`;
    const { problems } = within(8000, () => readAll(text));
    expect(problems[0]).toMatchObject({ message: "unterminated heredoc", word: "EOF" });
    expect(problems[0]?.hint).toContain("EOF");
  });

  it("reads a line of many heredocs", () => {
    const count = 6000;
    const text = `FROM x\nRUN ${"<<A ".repeat(count)}\n${"A\n".repeat(count)}`;
    const { instructions } = within(8000, () => readAll(text));
    expect(instructions[1]?.heredocs).toHaveLength(count);
  });

  it("does not nest ONBUILD without end", () => {
    const text = `FROM x\n${"ONBUILD ".repeat(8000)}RUN a\n`;
    const { problems } = within(2000, () => readAll(text));
    expect(problems[0]?.message).toContain("nested too deep");
  });

  it("takes deep brackets for shell", () => {
    const deep = "[".repeat(30_000);
    const { problems } = within(5000, () =>
      readAll(`FROM x\nRUN ${deep}\nCMD ${deep}${"]".repeat(30_000)}\n`),
    );
    expect(problems[0]?.message).toContain("comprised of strings");
  });
});

describe("a substitution made to hurt", () => {
  it("is refused when it is nested too deep", () => {
    const word = `${"${a:-".repeat(100_000)}${"}".repeat(100_000)}`;
    const attempt = () => within(2000, () => lexer.word(word, unset));
    expect(attempt).toThrow(ExpansionError);
    expect(attempt).toThrow(`${MAX_NESTING}`);
  });

  it("works up to the limit", () => {
    const word = `${"${a:-".repeat(MAX_NESTING - 1)}x${"}".repeat(MAX_NESTING - 1)}`;
    expect(lexer.word(word, unset)).toBe("x");
  });

  it("does not take exponential time for many wildcards", () => {
    const value = "a".repeat(1000);
    const lookup = () => value;
    expect(within(2000, () => lexer.word(`\${v##${"*a".repeat(100)}b}`, lookup))).toBe(value);
    expect(within(2000, () => lexer.word(`\${v%%b${"*a".repeat(100)}}`, lookup))).toBe(value);
    expect(within(2000, () => lexer.word(`\${v//${"*a".repeat(100)}b/c}`, lookup))).toBe(value);
  });

  it("refuses a match that is too much work", () => {
    const lookup = () => "a".repeat(60_000);
    const attempt = () => within(2000, () => lexer.word(`\${v##${"?".repeat(60_000)}}`, lookup));
    expect(attempt).toThrow("too much to match");
  });

  it("is refused when its values grow without end", () => {
    const long = "a".repeat(60_000);
    const attempt = (word: string) => () => within(4000, () => lexer.word(word, () => long));
    expect(attempt("$a".repeat(30_000))).toThrow("more than");
    expect(attempt(`\${v//?/${long}}`)).toThrow("too much to match");
  });

  it("finds an unclosed quote at the end of a long word", () => {
    const word = `"${"$a ".repeat(500_000)}`;
    expect(() => within(4000, () => lexer.word(word, unset))).toThrow("double-quote");
  });
});
