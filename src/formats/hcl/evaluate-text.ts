// Templates to texts: each part converted as it stands in one, and no more of them than a file may make.
import { converted } from "./access.ts";
import type { Expression } from "./ast.ts";
import type { Frame, Kind } from "./frame.ts";
import type { Scope } from "./scope.ts";
import { mistakeAt } from "./source.ts";
import type { Value } from "./value.ts";

/** Longest text that a template may make, in UTF-16 units. */
const maxTextLength = 16 << 20;

/** A template of nothing but one value is that value, whatever its type. */
export function runTemplate({ parts, wrapped }: Kind<"template">, frame: Frame): Value {
  const [only] = parts;
  if (wrapped && only) return frame.run(only);
  return joinText(
    parts.map((part) => textOf(part, frame)),
    frame.scope,
  );
}

/** A part of a template as text. Throws `BAKE_INVALID` for null and for what has no text. */
export function textOf(part: Expression, frame: Frame): string {
  const summary = "Invalid template interpolation value";
  const value = frame.run(part);
  if (value === null) {
    const detail =
      "The expression result is null. Cannot include a null value in a string template.";
    throw mistakeAt(part.range, summary, detail);
  }
  const before = "Cannot include the given value in a string template: ";
  return String(converted(value, "string", part.range, summary, before));
}

/** The texts as one. Throws `BAKE_INVALID` where that would be too long. */
export function joinText(texts: readonly string[], scope: Scope): string {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length > maxTextLength)
    throw mistakeAt(undefined, "Text too long", `At most ${maxTextLength} characters.`);
  scope.budget.spend(length >> 6);
  return texts.join("");
}
