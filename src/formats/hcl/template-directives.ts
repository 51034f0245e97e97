// Directives of a template with their ends: parts become one expression (HCL spec, Templates).
import type { Expression } from "./ast.ts";
import { mistakeAt, type Range, spanning } from "./source.ts";
import type { Part } from "./template-parts.ts";

/** Matches directives with their ends. Throws `BAKE_INVALID` for what has none. */
export function joined(parts: readonly Part[], range: Range): Expression {
  const state = { at: 0, depth: 0 };
  const read = sequenceOf(parts, state, range, []);
  const left = parts[state.at];
  if (left) {
    throw mistakeAt(
      left.range,
      `Unexpected ${left.kind} directive`,
      `There is no directive that %{ ${left.kind} } belongs to.`,
    );
  }
  return read;
}

interface Matching {
  at: number;
  depth: number;
}

/** Directives inside directives. */
const maxDirectives = 100;

/** Parts up to one of the kinds in `ends`, which is left where it is. */
function sequenceOf(
  parts: readonly Part[],
  state: Matching,
  range: Range,
  ends: readonly Part["kind"][],
): Expression {
  if (++state.depth > maxDirectives)
    throw mistakeAt(
      range,
      "Template too deep",
      `At most ${maxDirectives} directives in each other.`,
    );
  const found: Expression[] = [];
  for (let part = parts[state.at]; part && !ends.includes(part.kind); part = parts[state.at]) {
    if (part.kind === "text") found.push({ kind: "literal", value: part.text, range: part.range });
    else if (part.kind === "value") found.push(part.value);
    else if (part.kind === "if" || part.kind === "for") {
      found.push(directiveOf(part, parts, state));
      continue;
    } else break;
    state.at++;
  }
  state.depth--;
  return template(found, range, parts.length === 1 && parts[0]?.kind === "value");
}

function directiveOf(
  part: Extract<Part, { kind: "if" | "for" }>,
  parts: readonly Part[],
  state: Matching,
): Expression {
  state.at++;
  const { range } = part;
  if (part.kind === "for") {
    const body = sequenceOf(parts, state, range, ["endfor"]);
    const end = closing(parts, state, "endfor", range);
    return {
      kind: "templateFor",
      ...part.names,
      collection: part.collection,
      body,
      range: spanning(range, end),
    };
  }
  const { condition } = part;
  const yes = sequenceOf(parts, state, range, ["else", "endif"]);
  const hasElse = parts[state.at]?.kind === "else";
  if (hasElse) state.at++;
  const no: Expression = hasElse
    ? sequenceOf(parts, state, range, ["endif"])
    : { kind: "literal", value: "", range };
  const end = closing(parts, state, "endif", range);
  return { kind: "conditional", condition, yes, no, range: spanning(range, end) };
}

function closing(
  parts: readonly Part[],
  state: Matching,
  kind: "endif" | "endfor",
  opened: Range,
): Range {
  const part = parts[state.at];
  if (part?.kind !== kind) {
    throw mistakeAt(
      opened,
      "Unclosed template directive",
      `There is no %{ ${kind} } for this directive.`,
    );
  }
  state.at++;
  return part.range;
}

function template(parts: readonly Expression[], range: Range, wrapped: boolean): Expression {
  const [only] = parts;
  if (parts.length === 0) return { kind: "literal", value: "", range };
  if (parts.length === 1 && only?.kind === "literal" && typeof only.value === "string" && !wrapped)
    return { ...only, range };
  return { kind: "template", parts, wrapped, range };
}
