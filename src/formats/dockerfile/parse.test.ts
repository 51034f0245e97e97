// Splitting Dockerfiles into instructions: continuations, comments, directives, forms of arguments, heredocs.
import { describe, expect, it } from "vitest";
import type { InstructionNode } from "./ast.ts";
import { parseText } from "./parse.ts";
import { detectCheck, detectSyntax } from "./syntax.ts";

function nodes(text: string): readonly InstructionNode[] {
  const { value, problems } = parseText(text);
  expect(problems).toEqual([]);
  return value.instructions;
}

function node(text: string): InstructionNode {
  const [only, ...more] = nodes(text);
  expect(more).toEqual([]);
  if (!only) throw new Error("no instruction");
  return only;
}

describe("lines", () => {
  it("are joined where they end with the escape character", () => {
    const run = node("RUN a \\\n  b \\  \n c\n");
    expect(run.original).toBe("RUN a   b  c");
    expect(run.lines).toEqual({ start: 1, end: 3 });
  });

  it("are not joined where two escape characters stand at the end", () => {
    expect(nodes("RUN a \\\\\nRUN b\n")).toHaveLength(2);
  });

  it("are joined by a backtick where the file says so", () => {
    const [from, run] = nodes("# escape=`\nFROM a\nRUN dir C:\\ `\n  /s\n");
    expect(from?.args).toEqual(["a"]);
    expect(run?.original).toBe("RUN dir C:\\   /s");
  });

  it("pass over comments and warn of empty lines inside an instruction", () => {
    const { value } = parseText("RUN a \\\n# one\n\n  # two\n b\n");
    expect(value.instructions[0]?.original).toBe("RUN a  b");
    expect(value.warnings).toMatchObject([{ lines: { start: 5, end: 5 } }]);
  });

  it("may end as on Windows", () => {
    expect(nodes("FROM a\r\nRUN b \\\r\n c\r\n").map(({ original }) => original)).toEqual([
      "FROM a",
      "RUN b  c",
    ]);
  });
});

describe("comments above an instruction", () => {
  it("are kept from the last empty one on", () => {
    expect(node("# a\n#\n# b\n\n#c\nFROM x\n").comments).toEqual(["b", "c"]);
  });

  it("end with the instruction, and directives are none", () => {
    const [from, run] = nodes("# syntax=x\n# a\nFROM x\nRUN y\n");
    expect(from?.comments).toEqual(["a"]);
    expect(run?.comments).toEqual([]);
  });
});

describe("directives", () => {
  it("are read in any case and spacing, up to the first line that is none", () => {
    const { value } = parseText(
      "#  SYNTAX = a/b:1 \n#check=skip=all\n# other=1\n# escape=`\nFROM x\n",
    );
    expect(value.directives).toEqual([
      { name: "syntax", value: "a/b:1", line: 1 },
      { name: "check", value: "skip=all", line: 2 },
    ]);
    expect(value.escape).toBe("\\");
  });

  it.each([
    ["# syntax=a/b:1 x y\nFROM z", { reference: "a/b:1", commandLine: "a/b:1 x y", line: 1 }],
    ["#!/usr/bin/env x\n# syntax=a\n", { reference: "a", commandLine: "a", line: 2 }],
    ["// syntax=a\n{}", { reference: "a", commandLine: "a", line: 1 }],
    ['{"syntax": "a", "b": 1}', { reference: "a", commandLine: "a", line: 1 }],
    ["FROM x\n# syntax=a\n", undefined],
    ['{"syntax": 1}', undefined],
    ["{", undefined],
  ])("the frontend of %j", (text, syntax) => {
    expect(detectSyntax(new TextEncoder().encode(text))).toEqual(syntax);
  });

  it("say which checks run", () => {
    const file = new TextEncoder().encode("# syntax=x\n# check=skip=all\n");
    expect(detectCheck(file)).toMatchObject({ value: "skip=all", line: 2 });
  });
});

describe("arguments", () => {
  it.each([
    ['CMD ["a", "b c"]', ["a", "b c"], true],
    ["CMD ['a']", ["['a']"], false],
    ['CMD ["a"] x', ['["a"] x'], false],
    ["CMD []", [], true],
    ['COPY ["a b", "c"]', ["a b", "c"], true],
    ["COPY a  b\tc", ["a", "b", "c"], false],
    ["ENV a b  c", ["a", "b  c", ""], false],
    ['ENV a="b c" d=e\\ f', ["a", '"b c"', "=", "d", "e\\ f", "="], false],
    ["ARG a b=c d='e f'", ["a", "b=c", "d='e f'"], false],
    ["WORKDIR  /a b ", ["/a b"], false],
    ["HEALTHCHECK CMD curl x", ["CMD", "curl x"], false],
    ['HEALTHCHECK cmd ["a", "b"]', ["cmd", "a", "b"], true],
    ["EXPOSE", [], false],
    ["NOSUCH a b", [""], false],
  ])("%s", (text, args, json) => {
    expect(node(text)).toMatchObject({ args, json });
  });

  it("come after flags, whose quotes are resolved", () => {
    const copy = node('copy --from="a b" --chown=1\\ 2 -- --x y');
    expect(copy).toMatchObject({
      keyword: "copy",
      flags: ["--from=a b", "--chown=1 2"],
      args: ["--x", "y"],
    });
  });

  it("of ONBUILD are an instruction", () => {
    const { args, trigger } = node("ONBUILD COPY --from=a b c");
    expect(args).toEqual([]);
    expect(trigger).toMatchObject({ keyword: "COPY", flags: ["--from=a"], args: ["b", "c"] });
  });
});

describe("heredocs", () => {
  it("end at a line that is their name", () => {
    const [run, next] = nodes("RUN <<EOF cat\na\n EOF\n\tEOF\nEOF\nRUN b\n");
    expect(run?.heredocs).toMatchObject([
      { name: "EOF", content: "a\n EOF\n\tEOF\n", expand: true, chomp: false },
    ]);
    expect(run?.lines).toEqual({ start: 1, end: 5 });
    expect(next?.original).toBe("RUN b");
  });

  it("may be several, numbered, indented and quoted", () => {
    const { heredocs } = node("COPY 3<<A <<-'B C' \"<<D\" /x\na\nA\n\tb\n\tB C\n");
    expect(heredocs).toEqual([
      { name: "A", fileDescriptor: 3, expand: true, chomp: false, content: "a\n" },
      { name: "B C", fileDescriptor: 0, expand: false, chomp: true, content: "\tb\n" },
    ]);
  });

  it.each([
    ["RUN cat << EOF", "EOF", true],
    ["RUN cat <<\t'EOF' > /x", "EOF", false],
    ["RUN cat 3<<  EOF", "EOF", true],
    ["RUN cat << -EOF", "-EOF", true],
    ["RUN cat <<\\EOF", "EOF", true],
  ])("may have blanks before their name: %s", (line, name, expand) => {
    const { heredocs } = node(`${line}\na\n${name}\n`);
    expect(heredocs).toMatchObject([{ name, expand, chomp: false, content: "a\n" }]);
  });

  it.each([
    "RUN cat <<- EOF",
    "RUN a << << B",
    "RUN a <<",
    'RUN a "<<" EOF',
    'RUN a "<<EOF',
    "RUN ${A <<EOF",
  ])("are none where no name follows, or where the line is no list of words: %s", (line) =>
    expect(node(line).heredocs).toEqual([]),
  );

  it("are not in JSON form, nor in instructions that take none", () => {
    expect(node('RUN ["<<EOF"]').heredocs).toEqual([]);
    expect(node("ENV a=<<EOF").heredocs).toEqual([]);
  });

  it("belong to the outer instruction of an ONBUILD", () => {
    expect(node("ONBUILD RUN <<EOF\na\nEOF\n").heredocs).toHaveLength(1);
  });
});

describe("mistakes", () => {
  it("are all found in one run, each at its lines", () => {
    const { problems } = parseText("ENV a\nFROM x\nLABEL \\\n b\nCMD [1]\nRUN <<E\n");
    expect(problems.map(({ at }) => at[0])).toEqual([
      { start: 1, end: 1 },
      { start: 3, end: 4 },
      { start: 5, end: 5 },
      { start: 6, end: 6 },
    ]);
  });

  it("are said of a file without instructions", () => {
    expect(parseText("").problems).toMatchObject([{ message: "file with no instructions" }]);
    expect(parseText("# a\n\n").problems).toMatchObject([{ at: [{ start: 2, end: 2 }] }]);
  });
});
