// What buildx users type, and what pflag makes of it.
import { describe, expect, it, test } from "vitest";
import { isKilnError } from "../../base/index.ts";
import { type ParseOptions, parseFlags } from "./parse.ts";

const set = {
  push: { type: "bool", usage: "" },
  rm: { type: "bool", usage: "", default: "true" },
  quiet: { type: "bool", short: "q", usage: "" },
  "no-cache": { type: "bool", usage: "" },
  "no-cache-filter": { type: "stringArray", usage: "" },
  tag: { type: "stringArray", short: "t", usage: "" },
  file: { type: "string", short: "f", usage: "" },
  "add-host": { type: "stringSlice", usage: "", default: "a:1" },
  progress: { type: "string", usage: "", default: "auto" },
  sbom: { type: "string", usage: "", alone: "true" },
  size: { type: "bytes", usage: "" },
  timeout: { type: "duration", usage: "" },
  count: { type: "int", usage: "" },
  old: { type: "string", usage: "", hidden: true, deprecated: "use --new" },
} as const;

const options: ParseOptions = { command: "kiln build" };
const parse = (...argv: string[]) => parseFlags(set, argv, options);

describe("booleans", () => {
  const cases: [string[], boolean][] = [
    [["--push"], true],
    [["--push=true"], true],
    [["--push=T"], true],
    [["--push=1"], true],
    [["--push=false"], false],
    [["--push=0"], false],
    [["--push", "--push=false"], false],
    [[], false],
  ];
  it.each(cases)("%j is %s", (argv, expected) => {
    expect(parse(...argv).flags.values.push).toBe(expected);
  });

  it("never take the next argument", () => {
    expect(parse("--push", "false").args).toEqual(["false"]);
  });

  it("can be on by default", () => {
    expect(parse().flags.values.rm).toBe(true);
    expect(parse("--rm=false").flags.values.rm).toBe(false);
  });
});

describe("values", () => {
  const cases: [string[], string][] = [
    [["--file", "x"], "x"],
    [["--file=x"], "x"],
    [["--file="], ""],
    [["--file=a=b"], "a=b"],
    [["-f", "x"], "x"],
    [["-fx"], "x"],
    [["-f=x"], "x"],
    [["-f="], "="],
    [["-qf", "-"], "-"],
    [["-qfx"], "x"],
    [["-qf=x"], "x"],
    [["--file", "--push"], "--push"],
    [["--file", "a", "--file", "b"], "b"],
    [["--file", "--"], "--"],
  ];
  it.each(cases)("%j is %j", (argv, expected) => {
    expect(parse(...argv).flags.values.file).toBe(expected);
  });

  it("are read in the flag's own kind", () => {
    const { values } = parse("--size", "1.5g", "--timeout", "1m30s", "--count=-0x10").flags;
    expect([values.size, values.timeout, values.count]).toEqual([1610612736, 90_000, -16]);
  });

  it("have defaults until given", () => {
    expect(parse().flags.values.progress).toBe("auto");
    expect(parse("--progress", "plain").flags.values.progress).toBe("plain");
  });

  it("are known to be given even when they equal the default", () => {
    expect(parse("--progress", "auto").flags.given("progress")).toBe(true);
    expect(parse().flags.given("progress")).toBe(false);
  });
});

describe("lists", () => {
  it("of arrays keep commas, and grow with each flag", () => {
    expect(parse("-t", "a,b", "--tag=c").flags.values.tag).toEqual(["a,b", "c"]);
  });

  it("of slices split at commas as CSV, quotes and all", () => {
    expect(parse("--add-host", 'x:1,"y,z:2"', "--add-host=w:3").flags.values["add-host"]).toEqual([
      "x:1",
      "y,z:2",
      "w:3",
    ]);
  });

  it("lose their default with the first value given", () => {
    expect(parse().flags.values["add-host"]).toEqual(["a:1"]);
    expect(parse("--add-host", "").flags.values["add-host"]).toEqual([]);
  });

  it("take a value that begins with a dash", () => {
    const { flags, args } = parse("--tag", "--push", ".");
    expect([flags.values.tag, flags.values.push, args]).toEqual([["--push"], false, ["."]]);
  });
});

test("a flag with a value for standing alone never takes the next argument", () => {
  expect(parse("--sbom", ".").flags.values.sbom).toBe("true");
  expect(parse("--sbom", ".").args).toEqual(["."]);
  expect(parse("--sbom=x").flags.values.sbom).toBe("x");
});

test("a flag whose name begins like another is its own", () => {
  const { values } = parse("--no-cache-filter", "x").flags;
  expect([values["no-cache"], values["no-cache-filter"]]).toEqual([false, ["x"]]);
});

test("flags and arguments may be mixed, and end at --", () => {
  const { flags, args } = parse(".", "-q", "x", "--", "--push", "-t");
  expect([flags.values.quiet, flags.values.push, args]).toEqual([
    true,
    false,
    [".", "x", "--push", "-t"],
  ]);
});

test("a single dash is an argument", () => {
  expect(parse("-").args).toEqual(["-"]);
});

test("flags end at the first argument where the rest is another program's", () => {
  const { flags, args } = parseFlags(set, ["-q", "image", "-q", "--push"], {
    ...options,
    stopAtPositional: true,
  });
  expect([flags.values.push, args]).toEqual([false, ["image", "-q", "--push"]]);
});

test("a deprecated flag works and warns once", () => {
  const parsed = parse("--old", "a", "--old", "b");
  expect([parsed.flags.values.old, parsed.warnings]).toEqual([
    "b",
    ["flag --old is deprecated: use --new"],
  ]);
});

describe("mistakes", () => {
  const cases: [string[], string, string][] = [
    [["--psh"], "unknown flag: --psh", "Did you mean --push?"],
    [["--olt"], "unknown flag: --olt", "Run 'kiln build --help' for usage."],
    [["--constructor"], "unknown flag: --constructor", "Run 'kiln build --help' for usage."],
    [["-x"], "unknown shorthand flag: 'x' in -x", "Run 'kiln build --help' for usage."],
    [["-push"], "unknown shorthand flag: 'p' in -push", "Did you mean --push?"],
    [["--tag"], "flag --tag needs a value", "Run 'kiln build --help' for usage."],
    [["-qt"], "flag -t needs a value", "Run 'kiln build --help' for usage."],
    [["--push=maybe"], 'invalid value "maybe" for --push: must be true or false', ""],
    [["---push"], "bad flag syntax: ---push", "Run 'kiln build --help' for usage."],
    [["--=x"], "bad flag syntax: --=x", "Run 'kiln build --help' for usage."],
    [["--size=big"], 'invalid value "big" for --size: must be a size such as 512m or 2g', ""],
    [
      ["--timeout=20"],
      'invalid value "20" for --timeout: must be a duration such as 20s or 1h30m',
      "",
    ],
    [
      ["--add-host", 'a"b'],
      `malformed comma-separated value "a\\"b": bare " in a field that is not quoted`,
      "",
    ],
  ];
  it.each(cases)("%j is told as %j", (argv, message, hint) => {
    let error: unknown;
    try {
      parse(...argv);
    } catch (caught) {
      error = caught;
    }
    expect(isKilnError(error, "FLAG_INVALID") && [error.message, error.hint ?? ""]).toEqual([
      message,
      hint,
    ]);
  });
});
