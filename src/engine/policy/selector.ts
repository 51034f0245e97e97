// One selector: whether it matches a source, and what a replacement's name becomes with what it matched.
import type { NamedSource, SourceSelector } from "../../api/index.ts";
import { foreignPattern, KilnError, type PatternMatch } from "../../base/index.ts";

type Find = (text: string, from?: number) => PatternMatch | undefined;

export interface Selector {
  matches(source: NamedSource): boolean;
  /** `template` with `$1`, `${1}` and `${name}` filled in; `identifier` is one that matches. */
  format(identifier: string, template: string): string;
}

/** Throws `REQUEST_INVALID` for patterns that are none. */
export function createSelector(selector: SourceSelector): Selector {
  const { identifier: pattern, matchType } = selector;
  const find = matchType === "EXACT" ? undefined : compile(selector);
  const constraints = selector.constraints.map(({ key, value, condition }) => {
    if (condition === "EQUAL") return (attrs: NamedSource["attrs"]) => (attrs[key] ?? "") === value;
    if (condition === "NOTEQUAL")
      return (attrs: NamedSource["attrs"]) => (attrs[key] ?? "") !== value;
    const findValue = foreignPattern(value, (why) => badPattern("regex", value, why));
    return (attrs: NamedSource["attrs"]) => findValue(attrs[key] ?? "") !== undefined;
  });
  return {
    matches({ identifier, attrs }) {
      if (!constraints.every((fits) => fits(attrs))) return false;
      return identifier === pattern || find?.(identifier) !== undefined;
    },
    format(identifier, template) {
      if (!find) return template;
      return matchType === "REGEX"
        ? replaceAll(identifier, find, template)
        : expand(template, find(identifier)) || identifier;
    },
  };
}

function compile({ identifier, matchType }: SourceSelector): Find {
  if (matchType === "REGEX")
    return foreignPattern(identifier, (why) => badPattern("regex", identifier, why));
  if (identifier.includes("**")) throw badPattern("wildcard", identifier, 'invalid wildcard: "**"');
  const quoted = identifier.replaceAll(/[\\^$.|?+()[\]{}*]/g, (one) =>
    one === "*" ? "(.*)" : `\\${one}`,
  );
  return foreignPattern(`^${quoted}$`, (why) => badPattern("wildcard", identifier, why));
}

function badPattern(kind: string, text: string, why: string): KilnError {
  return new KilnError(
    "REQUEST_INVALID",
    `error matching source policy: invalid ${kind} ${JSON.stringify(text.slice(0, 200))}: ${why}`,
  );
}

/** Every match in turn, as Go's ReplaceAllString. */
function replaceAll(text: string, find: Find, template: string): string {
  let result = "";
  let at = 0;
  for (let from = 0; from <= text.length; ) {
    const match = find(text, from);
    if (!match) break;
    result += text.slice(at, match.start) + expand(template, match);
    at = match.end;
    from = match.end > match.start ? match.end : match.end + 1;
  }
  return result + text.slice(at);
}

/** Go's Regexp.Expand: `$name` is as long as its letters, digits and underscores go; what is not there is empty. */
function expand(template: string, match: PatternMatch | undefined): string {
  if (!match) return "";
  return template.replaceAll(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (whole, braced?: string, bare?: string) => {
      if (whole === "$$") return "$";
      const name = braced ?? bare ?? "";
      return (/^\d+$/.test(name) ? match.groups[Number(name)] : match.named[name]) ?? "";
    },
  );
}
