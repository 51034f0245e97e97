// Gathers the warnings of the build checks that are asked for.
import type { LineRange } from "../ast.ts";
import type { LintWarning, Rule } from "./rule.ts";

/** Which checks run, from `# check=` and BUILDKIT_DOCKERFILE_CHECK. */
export interface LintOptions {
  /** Rules that do not run; "all" is every one. */
  readonly skip: readonly string[] | "all";
  /** Experimental rules that run; "all" is every one. */
  readonly experimental: readonly string[] | "all";
  /** Whether a warning fails the build. */
  readonly error: boolean;
}

/** Takes warnings; those that are not asked for are dropped. */
export interface Linter {
  readonly options: LintOptions;
  readonly warnings: readonly LintWarning[];
  /** Notes that `rule` does not hold at `at` (one instruction's lines, several places, or nowhere). */
  warn<Args extends readonly string[]>(
    rule: Rule<Args>,
    at: LineRange | readonly LineRange[] | undefined,
    ...args: Args
  ): void;
  /** Drops warnings of these rules at places that begin within `lines`, also those that were noted before. */
  skipAt(lines: LineRange, rules: readonly string[] | "all"): void;
}

export const noLintOptions: LintOptions = { skip: [], experimental: [], error: false };

/** A linter without warnings yet. */
export function createLinter(options: LintOptions = noLintOptions): Linter {
  const found: { readonly warning: LintWarning; readonly experimental: boolean }[] = [];
  const skips: { readonly lines: LineRange; readonly rules: readonly string[] | "all" }[] = [];
  const isSkipped = (rule: string, line: number) =>
    skips.some(
      ({ lines, rules }) => line >= lines.start && line <= lines.end && includes(rules, rule),
    );
  return {
    options,
    get warnings() {
      if (skips.length === 0) return found.map(({ warning }) => warning);
      const kept = found.filter(
        ({ warning, experimental }) =>
          experimental || !isSkipped(warning.rule, warning.at[0]?.start ?? 0),
      );
      return kept.map(({ warning }) => warning);
    },
    warn(rule, at, ...args) {
      const places = at === undefined ? [] : "start" in at ? [at] : at;
      const experimental = rule.experimental === true;
      if (!runs(rule.name, experimental, options)) return;
      const { name, description, url } = rule;
      const message = rule.message(...args);
      found.push({ warning: { rule: name, description, url, message, at: places }, experimental });
    },
    skipAt(lines, rules) {
      skips.push({ lines, rules });
    },
  };
}

/** As in the reference, experimental rules run where they are asked for, whatever is skipped. */
function runs(name: string, experimental: boolean, options: LintOptions): boolean {
  return experimental ? includes(options.experimental, name) : !includes(options.skip, name);
}

function includes(names: readonly string[] | "all", name: string): boolean {
  return names === "all" || names.includes(name);
}
