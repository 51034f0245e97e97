// Quotes, escapes and variables: every form, and what the lexer is told to leave.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the language under test look so.
import { describe, expect, it } from "vitest";
import { createLexer, ExpansionError, type LexerOptions } from "./shell-words.ts";

const values: Readonly<Record<string, string>> = {
  A: "one",
  EMPTY: "",
  PATH: "/usr/local/bin:/usr/bin",
  FILE: "archive.tar.gz",
  STARS: "a*b?c",
  MANY: "x y  z",
  É: "accent",
};

function expand(word: string, options: Partial<LexerOptions> = {}): string {
  return createLexer({ escape: "\\", ...options }).word(word, (name) => values[name]);
}

function words(word: string, options: Partial<LexerOptions> = {}): readonly string[] {
  return createLexer({ escape: "\\", ...options }).words(word, (name) => values[name]);
}

describe("a variable", () => {
  it.each([
    ["$A", "one"],
    ["${A}", "one"],
    ["x$A-y", "xone-y"],
    ["$NONE.", "."],
    ["$", "$"],
    ["a$ b", "a$ b"],
    ["$É", "accent"],
    ["\\$A", "$A"],
    ["'$A'", "$A"],
    ['"$A"', "one"],
    ['"\\$A"', "$A"],
    ["$1A", "A"],
    ["${A:-b}", "one"],
    ["${EMPTY:-b}", "b"],
    ["${EMPTY-b}", ""],
    ["${NONE-b}", "b"],
    ["${NONE:-${A}}", "one"],
    ["${A:+b}", "b"],
    ["${EMPTY:+b}", ""],
    ["${EMPTY+b}", "b"],
    ["${NONE+b}", ""],
    ["${A:?no}", "one"],
    ["${A?no}", "one"],
    ["${FILE#*.}", "tar.gz"],
    ["${FILE##*.}", "gz"],
    ["${FILE%.*}", "archive.tar"],
    ["${FILE%%.*}", "archive"],
    ["${PATH/bin/sbin}", "/usr/local/sbin:/usr/bin"],
    ["${PATH//bin/sbin}", "/usr/local/sbin:/usr/sbin"],
    ["${PATH//\\//-}", "-usr-local-bin:-usr-bin"],
    ["${STARS/\\*/-}", "a-b?c"],
    ["${STARS#a\\*}", "b?c"],
    ["${STARS//?/.}", "....."],
    ["${A#}", "one"],
    ["${FILE#a${NONE:-r}}", "chive.tar.gz"],
  ])("%s is %s", (word, expanded) => {
    expect(expand(word)).toBe(expanded);
  });

  it.each([
    ["${A", "missing '}'"],
    ["${", "missing '}'"],
    ["${}", "bad substitution"],
    ["${:a}", "bad substitution"],
    ["${A^}", "unsupported modifier (^)"],
    ["${A:=b}", "unsupported modifier (:=)"],
    ["${A:#b}", "unsupported modifier (:#)"],
    ["${NONE:?say why}", "NONE: say why"],
    ["${NONE?}", "not allowed to be unset"],
    ["${EMPTY:?}", "not allowed to be empty"],
    ["${A/b}", "missing '/'"],
    ["${A#\\x}", "invalid pattern"],
    ["'a", "single-quote"],
    ['"a', "double-quote"],
  ])("%s is refused", (word, message) => {
    expect(() => expand(word)).toThrow(ExpansionError);
    expect(() => expand(word)).toThrow(message);
  });

  it("is told whether it was set", () => {
    const found = createLexer({ escape: "\\" }).expand(
      "$A ${NONE:-$EMPTY} $A",
      (name) => values[name],
    );
    expect([...found.matched]).toEqual(["A", "EMPTY"]);
    expect([...found.unmatched]).toEqual(["NONE"]);
  });

  it("that is not set stays as it is when asked so", () => {
    const text = "$NONE ${NONE} ${NONE:-b} ${NONE#x} ${NONE/a/b} $A";
    expect(expand(text, { skipUnset: true })).toBe(
      "$NONE ${NONE} ${NONE:-b} ${NONE#x} ${NONE/a/b} one",
    );
  });
});

describe("quotes and escapes", () => {
  it.each([
    ["'a b'\"c d\"", "a bc d"],
    ["a\\ b", "a b"],
    ['"a\\nb"', "a\\nb"],
    ["'a\\b'", "a\\b"],
    ["a\\", "a"],
    ['"\\""', '"'],
  ])("%s becomes %s", (word, expanded) => {
    expect(expand(word)).toBe(expanded);
  });

  it("use the escape character that they are told", () => {
    expect(expand("C:\\dir`$A", { escape: "`" })).toBe("C:\\dir$A");
  });

  it("stay when asked so", () => {
    expect(expand("'a' \"b\"", { rawQuotes: true })).toBe("'a' \"b\"");
    expect(expand("a\\b", { rawEscapes: true })).toBe("a\\b");
    expect(expand("it's $A", { skipProcessQuotes: true })).toBe("it's one");
  });
});

describe("words", () => {
  it.each([
    ["a  b\tc", ["a", "b", "c"]],
    ["'a b' c", ["a b", "c"]],
    ["$MANY", ["x", "y", "z"]],
    ['"$MANY"', ["x y  z"]],
    ["a$MANY", ["ax", "y", "z"]],
    ["''", []],
    ["a\\ b", ["a b"]],
    ["", []],
  ])("of %s", (word, list) => {
    expect(words(word)).toEqual(list);
  });

  it("lose what came before a default in the same word, as in the reference", () => {
    expect(words("a b${NONE:-c}d")).toEqual(["a", "cd"]);
    expect(expand("a b${NONE:-c}d")).toBe("a bcd");
  });
});
