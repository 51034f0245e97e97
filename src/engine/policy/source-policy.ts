// The policies of one build, applied to whole definitions and to names that frontends look up.
import type {
  CheckSource,
  MetaOptions,
  NamedSource,
  SourceMeta,
  SourcePolicy,
} from "../../api/index.ts";
import { type Call, KilnError } from "../../base/index.ts";
import {
  type Definition,
  type ReplaceableSource,
  replaceSources,
} from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { evaluateRules } from "./rules.ts";

/** How often a client may be asked about one source. */
const maxQuestions = 10;

export interface SourcePolicyParts {
  readonly policies: readonly SourcePolicy[];
  readonly check?: CheckSource;
  /** Looks a source up without asking the policies. */
  readonly meta: (source: NamedSource, options: MetaOptions, call: Call) => Promise<SourceMeta>;
}

export interface SourceRules {
  /** What the definition becomes; itself where nothing changes. Throws `SOURCE_DENIED`. */
  definition(definition: Definition, call: Call): Promise<Definition>;
  /** What stands in a source's place; itself where nothing does. Throws `SOURCE_DENIED`. */
  source(source: NamedSource, platform: Platform | undefined, call: Call): Promise<NamedSource>;
}

/** Throws `REQUEST_INVALID` for rules that make no sense. */
export function openSourcePolicy({ policies, check, meta }: SourcePolicyParts): SourceRules {
  const evaluate = evaluateRules(policies);
  const idle = !check && policies.every(({ rules }) => rules.length === 0);
  const decide = async (
    source: NamedSource,
    platform: Platform | undefined,
    questions: number,
    call: Call,
  ): Promise<NamedSource> => {
    const current = evaluate(source);
    if (!check) return current;
    let known: SourceMeta = { source: current };
    for (let left = questions; left > 0; left--) {
      const decision = await check(known, platform, call);
      if (decision.action === "ALLOW") return current;
      if (decision.action === "CONVERT")
        return await decide(decision.source, platform, left - 1, call);
      if (decision.action === "DENY") throw refused(current, decision.messages);
      checkSame(decision.source, current);
      known = await meta(current, { ...(platform ? { platform } : {}), ...decision.options }, call);
    }
    throw new KilnError("SOURCE_DENIED", "too many policy requests");
  };
  const source: SourceRules["source"] = async (asked, platform, call) =>
    idle ? asked : await decide(asked, platform, maxQuestions, call);
  return {
    source,
    async definition(definition, call) {
      if (idle) return definition;
      return await replaceSources(definition, async ({ platform, ...asked }: ReplaceableSource) => {
        try {
          return await source(asked, platform, call);
        } catch (error) {
          throw named(error, "error evaluating the source policy");
        }
      });
    },
  };
}

function named(error: unknown, what: string): unknown {
  if (!(error instanceof KilnError) || error.message.startsWith(what)) return error;
  const { code, hint } = error;
  return new KilnError(code, `${what}: ${error.message}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

function refused({ identifier }: NamedSource, messages: readonly string[]): KilnError {
  const said = messages.map((text) => `: ${text}`).join("");
  return new KilnError(
    "SOURCE_DENIED",
    `source ${JSON.stringify(identifier)} not allowed by policy: action DENY${said}`,
  );
}

function checkSame(asked: NamedSource, source: NamedSource): void {
  const [a, b] = [asked.identifier, source.identifier].map((text) => JSON.stringify(text));
  if (a !== b)
    throw new KilnError(
      "REQUEST_INVALID",
      `policy requested different source identifier: ${a} != ${b}`,
    );
  const sorted = ({ attrs }: NamedSource) => JSON.stringify(Object.entries(attrs).sort());
  if (sorted(asked) !== sorted(source))
    throw new KilnError("REQUEST_INVALID", "policy requested different source attrs");
}
