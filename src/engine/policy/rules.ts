// The rules of policies, tried on one source until nothing changes it any more (BuildKit: sourcepolicy/engine.go).
import type { NamedSource, SourcePolicy, SourceRule } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";
import { createSelector, type Selector } from "./selector.ts";

/** How often one source may be converted: rules could chase each other. */
const maxConversions = 20;
/** Of all policies of a build together. */
const maxRules = 10_000;
/** Milliseconds that matching may take in one build. */
const maxTime = 10_000;

/** What becomes of a source: itself, or what stands in its place. Throws `SOURCE_DENIED`. */
export type Evaluate = (source: NamedSource) => NamedSource;

interface ReadRule {
  readonly rule: SourceRule;
  readonly selector: Selector;
}

/** Throws `REQUEST_INVALID` for rules that make no sense. */
export function evaluateRules(policies: readonly SourcePolicy[]): Evaluate {
  if (policies.reduce((sum, { rules }) => sum + rules.length, 0) > maxRules)
    throw new KilnError("REQUEST_INVALID", `source policies have more than ${maxRules} rules`);
  const read = policies.map(({ rules }) =>
    rules.map((rule): ReadRule => ({ rule, selector: createSelector(rule.selector) })),
  );
  let spent = 0;
  return (source) => {
    const began = performance.now();
    let current = source;
    for (let count = 0; ; count++) {
      if (count > maxConversions) {
        const message = "too many mutations on a single source: too many operations";
        throw new KilnError("SOURCE_DENIED", message, {
          hint: `The policy's rules turn ${current.identifier} into something else again and again.`,
        });
      }
      const next = convert(read, current, () => checkTime(spent + performance.now() - began));
      if (next === current) break;
      current = next;
    }
    spent += performance.now() - began;
    return current;
  };
}

function checkTime(spent: number): void {
  if (spent > maxTime)
    throw new KilnError("REQUEST_INVALID", "the source policy takes too long to match");
}

/** The same object where nothing changes. */
function convert(
  policies: readonly (readonly ReadRule[])[],
  source: NamedSource,
  checkTime: () => void,
): NamedSource {
  for (const rules of policies) {
    let denied = false;
    for (const { rule, selector } of rules) {
      checkTime();
      if (!selector.matches(source)) continue;
      if (rule.action === "CONVERT") {
        const updated = update(rule, selector, source);
        if (updated !== source) return updated;
      } else denied = rule.action === "DENY";
    }
    if (denied) throw deniedSource(source);
  }
  return source;
}

function update(
  { updates, selector: { identifier } }: SourceRule,
  selector: Selector,
  source: NamedSource,
) {
  if (!updates) {
    const message = "error mutating source policy: missing destination for convert rule";
    throw new KilnError("REQUEST_INVALID", message);
  }
  const name = selector.format(source.identifier, updates.identifier || identifier);
  const attrs = Object.entries(updates.attrs).filter(([key, value]) => source.attrs[key] !== value);
  if ((name === "" || name === source.identifier) && attrs.length === 0) return source;
  return {
    identifier: name || source.identifier,
    attrs: { ...source.attrs, ...Object.fromEntries(attrs) },
  };
}

function deniedSource({ identifier }: NamedSource): KilnError {
  return new KilnError(
    "SOURCE_DENIED",
    `source ${JSON.stringify(identifier)} denied by policy: source denied by policy`,
    { hint: "The source policy of this build has a rule that denies it." },
  );
}
