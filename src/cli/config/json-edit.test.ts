// Editing JSON texts: the member changes, the other bytes do not.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { removeMember, setMember } from "./json-edit.ts";

const config = `{
  "auths": {
    "a.example": { "auth": "eA==" },
\t"b.example":{"auth":"eQ=="}
  },   "odd" : [1,  2],
  "credsStore":"x"
}
`;

describe("setting", () => {
  test("replaces a value in its place", () => {
    expect(setMember(config, ["auths", "b.example"], { auth: "eg==" })).toBe(
      config.replace('{"auth":"eQ=="}', '{\n      "auth": "eg=="\n    }'),
    );
  });

  test("adds behind the last member, as deep as the others", () => {
    expect(setMember(config, ["auths", "c.example"], {})).toBe(
      config.replace('{"auth":"eQ=="}', '{"auth":"eQ=="},\n    "c.example": {}'),
    );
  });

  test("makes objects on the way", () => {
    expect(setMember("{}", ["auths", "a"], { auth: "x" })).toBe(
      '{\n\t"auths": {\n\t\t"a": {\n\t\t\t"auth": "x"\n\t\t}\n\t}\n}',
    );
    expect(JSON.parse(setMember('{"auths":null}', ["auths", "a"], 1))).toEqual({ auths: { a: 1 } });
  });
});

describe("removing", () => {
  test.each([
    ['{"a":1}', "{}"],
    ['{ "a": 1, "b": 2 }', '{ "b": 2 }'],
    ['{ "b": 2, "a": 1 }', '{ "b": 2 }'],
    ['{"b":2,\n "a":{"x":"}"},\n "c":3}', '{"b":2,\n "c":3}'],
    ['{"b":2}', '{"b":2}'],
  ])("%s", (text, expected) => {
    expect(removeMember(text, ["a"])).toBe(expected);
  });
});

test("any object: what JSON.parse sees is what was meant", () => {
  const keys = fc.constantFrom("a", "b", 'q"', "\\", "é");
  fc.assert(
    fc.property(
      fc.dictionary(keys, fc.oneof(fc.jsonValue(), fc.dictionary(keys, fc.jsonValue()))),
      fc.constantFrom(0, 1, 3),
      keys,
      keys,
      (object, indent, outer, inner) => {
        const text = JSON.stringify(object, undefined, indent);
        const set = JSON.parse(setMember(text, [outer, inner], 7)) as Record<
          string,
          Record<string, unknown>
        >;
        const before = object[outer];
        const isObject = typeof before === "object" && before !== null && !Array.isArray(before);
        expect(set).toEqual({
          ...JSON.parse(text),
          [outer]: { ...(isObject ? JSON.parse(JSON.stringify(before)) : {}), [inner]: 7 },
        });
        const { [outer]: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
        expect(JSON.parse(removeMember(text, [outer]))).toEqual(rest);
      },
    ),
  );
});
