// Source policies: which rule wins, what a source becomes, and rules that want too much.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policies refer to groups of a pattern so.
import { describe, expect, it } from "vitest";
import type { SourceRule } from "../../api/index.ts";
import { evaluateRules } from "./rules.ts";

const busybox = { identifier: "docker-image://docker.io/library/busybox:1.36", attrs: {} };

function rule(
  action: SourceRule["action"],
  identifier: string,
  more: Partial<SourceRule["selector"]> & { readonly to?: SourceRule["updates"] } = {},
): SourceRule {
  const { to, ...selector } = more;
  return {
    action,
    selector: { identifier, matchType: "WILDCARD", constraints: [], ...selector },
    ...(to ? { updates: to } : {}),
  };
}

const evaluate = (...rules: SourceRule[]) => evaluateRules([{ rules }]);

describe("source policies", () => {
  it("let everything be that no rule is about", () => {
    expect(evaluate(rule("DENY", "docker-image://other"))(busybox)).toBe(busybox);
  });

  it("deny with the reference's words", () => {
    expect(() => evaluate(rule("DENY", "docker-image://*"))(busybox)).toThrow(
      'source "docker-image://docker.io/library/busybox:1.36" denied by policy: source denied by policy',
    );
  });

  it("follow the last of the rules that allow and deny", () => {
    const deny = rule("DENY", "*");
    const allow = rule("ALLOW", "docker-image://docker.io/library/*");
    expect(evaluate(deny, allow)(busybox)).toBe(busybox);
    expect(() => evaluate(allow, deny)(busybox)).toThrow("denied by policy");
  });

  it("convert with what a wildcard matched", () => {
    const to = { identifier: "docker-image://mirror.example/${1}-x", attrs: {} };
    const convert = rule("CONVERT", "docker-image://docker.io/library/*", { to });
    expect(evaluate(convert)(busybox).identifier).toBe(
      "docker-image://mirror.example/busybox:1.36-x",
    );
  });

  it("convert with the groups of a regular expression in Go's syntax", () => {
    const to = { identifier: "docker-image://mirror.example/${name}:$2", attrs: {} };
    const pattern = "(?i)^docker-image://DOCKER.io/library/(?P<name>[[:alpha:]]+):(.*)$";
    const convert = rule("CONVERT", pattern, { matchType: "REGEX", to });
    expect(evaluate(convert)(busybox).identifier).toBe(
      "docker-image://mirror.example/busybox:1.36",
    );
  });

  it("set attributes, and leave the name where none is given", () => {
    const to = { identifier: "", attrs: { "http.checksum": "sha256:1" } };
    const url = { identifier: "https://example.com/a", attrs: { "http.filename": "a" } };
    const convert = rule("CONVERT", url.identifier, { matchType: "EXACT", to });
    expect(evaluate(convert)(url)).toEqual({
      identifier: url.identifier,
      attrs: { "http.filename": "a", "http.checksum": "sha256:1" },
    });
  });

  it("look at attributes", () => {
    const url = { identifier: "https://example.com/a", attrs: { "http.checksum": "sha256:1" } };
    const when = (condition: "EQUAL" | "NOTEQUAL" | "MATCHES", value: string) =>
      evaluate(
        rule("DENY", "https://*", {
          constraints: [{ key: "http.checksum", value, condition }],
        }),
      );
    expect(() => when("EQUAL", "sha256:1")(url)).toThrow("denied");
    expect(when("NOTEQUAL", "sha256:1")(url)).toBe(url);
    expect(() => when("MATCHES", "^sha256:")(url)).toThrow("denied");
    expect(when("MATCHES", "^sha512:")(url)).toBe(url);
  });

  it("refuse rules that chase each other", () => {
    const chase = (from: string, target: string) =>
      rule("CONVERT", from, { matchType: "EXACT", to: { identifier: target, attrs: {} } });
    const both = evaluate(chase("https://a", "https://b"), chase("https://b", "https://a"));
    expect(() => both({ identifier: "https://a", attrs: {} })).toThrow("too many operations");
  });

  it("judge what something was converted to", () => {
    const to = { identifier: "docker-image://evil", attrs: {} };
    const rules = [
      rule("CONVERT", busybox.identifier, { to }),
      rule("DENY", "docker-image://evil"),
    ];
    expect(() => evaluate(...rules)(busybox)).toThrow('"docker-image://evil" denied');
  });
});

describe("hostile source policies", () => {
  it("cannot hold the process up with a pattern that takes for ever", () => {
    const slow = evaluate(rule("DENY", "^(a+)+$", { matchType: "REGEX" }));
    const began = performance.now();
    expect(() => slow({ identifier: `${"a".repeat(50)}b`, attrs: {} })).toThrow("too long");
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it("say what is wrong with a pattern", () => {
    const bad = (identifier: string, matchType: "REGEX" | "WILDCARD") => () =>
      evaluate(rule("DENY", identifier, { matchType }));
    expect(bad("(", "REGEX")).toThrow("error matching source policy");
    expect(bad("a(?=b)", "REGEX")).toThrow("bounded time");
    expect(bad("**", "WILDCARD")).toThrow("invalid wildcard");
    expect(bad("a".repeat(5000), "REGEX")).toThrow("4096");
  });

  it("may not have any number of rules", () => {
    expect(() => evaluate(...Array.from({ length: 10_001 }, () => rule("ALLOW", "x")))).toThrow(
      "10000",
    );
  });

  it("need a destination to convert to", () => {
    expect(() => evaluate(rule("CONVERT", "*"))(busybox)).toThrow("missing destination");
  });
});
