// Expressions and functions of HCL; the expected values are those of docker buildx where they are not obvious.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of HCL, not of JavaScript.
import { describe, expect, it } from "vitest";
import { isKilnError } from "../../base/index.ts";
import {
  Budget,
  evaluate,
  type HclFunction,
  parseHcl,
  parseHclJson,
  readType,
  type Scope,
  standardFunctions,
  toJson,
  typeSource,
  type Value,
} from "./index.ts";

const functions: ReadonlyMap<string, HclFunction> = standardFunctions({
  now: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
  homeDirectory: "/home/me",
  randomBytes: (length) => new Uint8Array(length).fill(0xab),
  limited: (work) => work(),
});

function scope(variables: Readonly<Record<string, Value>> = {}): Scope {
  return {
    budget: new Budget(),
    resolve: ([name = ""]) => {
      const value = variables[name];
      return value === undefined ? undefined : { value, used: 1 };
    },
    names: () => Object.keys(variables),
    function: (name) => functions.get(name),
    functionNames: () => [...functions.keys()],
  };
}

function value(text: string, variables: Readonly<Record<string, Value>> = {}): unknown {
  const body = parseHcl({ name: "t.hcl", text: `v = ${text}\n` });
  const attribute = body.attributes.get("v");
  if (!attribute) throw new Error("there is no v");
  return toJson(evaluate(attribute.expression, scope(variables)));
}

function mistake(text: string): string {
  try {
    value(text);
  } catch (error) {
    if (isKilnError(error)) return error.message;
    throw error;
  }
  return "";
}

describe("expressions", () => {
  it.each<[string, unknown]>([
    ["1 + 2 * 3 - 4 / 2", 5],
    ["(1 + 2) * 3 % 4", 1],
    ["0.1 + 0.2", 0.3],
    ["-(-2)", 2],
    ["!false && 1 < 2 || false", true],
    ['1 == "1"', false],
    ['true ? 1 : "a"', "1"],
    ["[1, [2]][1][0]", 2],
    ["{ a = { b = 1 } }.a.b", 1],
    ['{ "a b" : 1, c = 2 }["a b"]', 1],
    ["[{ n = 1 }, { n = 2 }][*].n", [1, 2]],
    ["[{ n = [1] }, { n = [2] }].*.n", [[1], [2]]],
    ["null[*]", []],
    ['"x"[*]', ["x"]],
    ["[for i, s in [5, 6] : i + s if s > 5]", [7]],
    ["{ for k, v in { a = 1 } : upper(k) => v }", { A: 1 }],
    ['{ for s in ["ab", "ac"] : substr(s, 0, 1) => s... }', { a: ["ab", "ac"] }],
    ["max([1, 3, 2]...)", 3],
    ["[\n  1,\n  2,\n]", [1, 2]],
    ["{\n  a = 1\n  b = 2, c = 3\n}", { a: 1, b: 2, c: 3 }],
  ])("%s is %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  it.each<[string, unknown]>([
    [String.raw`"a\n\"b\\\u00e9"`, 'a\n"b\\é'],
    ['"$${x} %%{y}"', "${x} %{y}"],
    ['"${1}"', 1],
    ['"a${1}b"', "a1b"],
    ['"a ${~ 1 ~} b"', "a1b"],
    ['"%{ if true }y%{ else }n%{ endif }"', "y"],
    ['"%{ for x in [1, 2] ~} ${x}, %{ endfor }"', "1, 2, "],
    ["<<A\n  x ${1}\nA", "  x 1\n"],
    ["<<-A\n    x\n      y\n\n    z\n  A", "x\n  y\n\nz\n"],
  ])("the template %j is %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  it.each<[string, string]>([
    ["nope", 'Unknown variable; There is no variable named "nope".'],
    ["uper(1)", 'Did you mean "upper"?'],
    ["[1][2]", "Invalid index"],
    ['"a${null}"', "Invalid template interpolation value"],
    ['{ for s in ["a", "a"] : s => 1 }', "Duplicate object key"],
    ["true ? [] : 1", "Inconsistent conditional result types"],
    ["1 +", "Invalid expression"],
    ["[1 2]", "Missing item separator"],
    ['"a\nb"', "Invalid multi-line string"],
    ["'a'", "Single quotes are not valid"],
    ["<<A\nx\n", "Unterminated template string"],
    ['"%{ if true }"', "Unclosed template directive"],
    ['"%{ endif }"', "Unexpected endif directive"],
    ["{ a.b = 1 }", "Ambiguous attribute key"],
  ])("%j is refused: %s", (text, words) => {
    expect(mistake(text)).toContain(words);
  });

  it("tells all mistakes of a file, with their places", () => {
    const text = 'a = [1 2]\nb = "ok"\nc = = 3\nd {\n  e = 1\n  e = 2\n}\n';
    expect.assertions(1);
    try {
      parseHcl({ name: "t.hcl", text });
    } catch (error) {
      if (!isKilnError(error)) throw error;
      const places = [error, ...error.others].map(({ at }) => `${at?.line}:${at?.column}`);
      expect(places).toEqual(["1:8", "3:5", "6:3"]);
    }
  });
});

describe("functions", () => {
  it.each<[string, unknown]>([
    ['title("it\'s a bc-d")', "It'S A Bc-D"],
    [
      'format("%v %5.2f|%-4s|%04d|%+d|%x|%q|%t|%%", [1], 1.234, "ab", 42, 7, 255, "q", true)',
      '[1]  1.23|ab  |0042|+7|ff|"q"|true|%',
    ],
    ['formatlist("%s-%d", ["a", "b"], 1)', ["a-1", "b-1"]],
    ['regex("(?P<a>.)(?P<b>.)", "xy")', { a: "x", b: "y" }],
    ['regexall("(?i)[A-Z]+", "ab1cd")', ["ab", "cd"]],
    ['regex("[[:digit:]]+\\\\z", "a12")', "12"],
    ['regex_replace("hello", "(l+)", "[$1]")', "he[ll]o"],
    ['cidrsubnets("10.0.0.0/8", 4, 8)', ["10.0.0.0/12", "10.16.0.0/16"]],
    ['cidrhost("fd00:1::/64", 9)', "fd00:1::9"],
    ['cidrsubnet("fd00::/8", 8, 1)', "fd01::/16"],
    ['uuidv5("dns", "www.example.com")', "2ed6657d-e927-568b-95e1-2665a8aea6a2"],
    ["uuidv4()", "abababab-abab-4bab-abab-abababababab"],
    ["timestamp()", "2026-01-02T03:04:05Z"],
    [
      'formatdate("EEEE, DD-MMM-YY hh:mm:ss ZZZ AA \'at\'", "2020-01-01T13:04:05Z")',
      "Wednesday, 01-Jan-20 13:04:05 UTC PM at",
    ],
    ['timeadd("2020-01-01T00:00:00+02:00", "1h30m")', "2020-01-01T01:30:00+02:00"],
    ["unixtimestampparse(1690328596).rfc3339", "2023-07-25T23:43:16Z"],
    ["unixtimestampparse(1690328596).iso_week", 30],
    ['csvdecode("a,b\\n1,\\"x,\\"\\"y\\"\\n")', [{ a: "1", b: 'x,"y' }]],
    ['jsonencode({ b = 1, a = "<x>" })', '{"a":"\\u003cx\\u003e","b":1}'],
    ['convert(["1"], list(number))', [1]],
    ['try(parseint("x", 10), "f")', "f"],
    ["can(nope)", false],
    [
      'setproduct(["a"], [1, 2])',
      [
        ["a", 1],
        ["a", 2],
      ],
    ],
    ['distinct([1, "1"])', ["1"]],
    ["range(1, 7, 2)", [1, 3, 5]],
    ['strlen("é👨‍👩‍👧")', 2],
    ['substr("hello", -3, 2)', "ll"],
    ['urlencode("a b&c=/é")', "a+b%26c%3D%2F%C3%A9"],
    ['parseint("zz", 36)', 1295],
    ["homedir()", "/home/me"],
    ['semvercmp("1.2.3", ">= 1.0, < 2")', true],
    ['semvercmp("v1.2.3", "^1.3")', false],
    ['semvercmp("1.2.3-rc.1", "~1.2")', false],
  ])("%s is %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  it("bcrypt hashes as its authors' programs do", () => {
    // crypt_blowfish's own vector: "U*U" with the salt CCCCCCCCCCCCCCCCCCCCC. at cost 5.
    const salt = Uint8Array.from({ length: 16 }, (_, at) => [0x10, 0x41, 0x04][at % 3] ?? 0);
    const own = standardFunctions({
      now: new Date(0),
      homeDirectory: "",
      randomBytes: () => salt,
      limited: (work) => work(),
    });
    const hash = own.get("bcrypt")?.call(["U*U", 5], () => {});
    expect(hash).toBe("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
  });

  it.each<[string, string]>([
    [
      "upper()",
      'Not enough function arguments; Function "upper" expects 1 argument(s). Missing value for "str".',
    ],
    ['upper("a", "b")', "Too many function arguments"],
    ["upper(null)", 'Invalid value for "str" parameter: argument must not be null.'],
    ['regex("(?=a)", "a")', "invalid or unsupported Perl syntax"],
    ['formatdate("X", "2020-01-01T00:00:00Z")', 'invalid date format verb "X"'],
    ['try(parseint("x", 10))', "no expression succeeded"],
    ['cidrhost("10.0.0.0/31", 5)', "does not accommodate"],
    ['format("%d")', "not enough arguments"],
    ['format("x", 1)', "too many arguments"],
  ])("%s is refused: %s", (text, words) => {
    expect(mistake(text)).toContain(words);
  });
});

describe("types", () => {
  const type = (text: string) => {
    const body = parseHcl({ name: "t.hcl", text: `t = ${text}\n` });
    const expression = body.attributes.get("t")?.expression;
    if (!expression) throw new Error("there is no t");
    return typeSource(readType(expression));
  };

  it.each([
    "string",
    "list(string)",
    "map(set(number))",
    "tuple([string, bool])",
    "object({a=string,b=optional(number)})",
  ])("%s is read and written", (text) => {
    expect(type(text)).toBe(text);
  });

  it.each(["strin", "list", "list(string, number)", "tuple(string)", "1"])("%s is none", (text) => {
    expect(() => type(text)).toThrow("Invalid type specification");
  });
});

describe("JSON", () => {
  const schema = { target: { labels: 1 } };
  it("has blocks where the schema says so, and templates in its strings", () => {
    const text = '{"//": 1, "v": "x${1 + 1}", "target": {"a": {"t": ["${v}"]}, "b": [{}, {}]}}';
    const body = parseHclJson({ name: "t.json", text }, schema);
    expect([...body.attributes.keys()]).toEqual(["v"]);
    expect(body.blocks.map(({ labels }) => labels[0]?.text)).toEqual(["a", "b", "b"]);
    const expression = body.attributes.get("v")?.expression;
    expect(expression && evaluate(expression, scope())).toBe("x2");
  });

  it.each([
    ["[1]", "Root value must be object"],
    ['{"a": 1,}', "Trailing comma in object"],
    ['{"a" 1}', "Missing property value colon"],
    ['{"a": [1', "Unclosed array"],
    ['{"target": "x"}', "Incorrect JSON value type"],
  ])("%s is refused: %s", (text, words) => {
    expect(() => parseHclJson({ name: "t.json", text }, schema)).toThrow(words);
  });
});
