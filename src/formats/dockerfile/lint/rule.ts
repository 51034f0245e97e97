// What a build check is: data that every rule's file gives, and the warning that it makes.
import type { LineRange } from "../ast.ts";

/** One build check. `Args` is what its message is made of. */
export interface Rule<Args extends readonly string[] = readonly string[]> {
  /** In PascalCase, as `# check=skip=` names it. */
  readonly name: string;
  /** One sentence without a full stop. */
  readonly description: string;
  /** The reference's page. */
  readonly url: string;
  /** True for rules that run only where `# check=experimental=` asks for them. */
  readonly experimental?: boolean;
  /** What is said at the place. */
  readonly message: (...args: Args) => string;
}

/** A rule that did not hold. */
export interface LintWarning {
  readonly rule: string;
  readonly description: string;
  readonly url: string;
  readonly message: string;
  /** Empty where it is the file as a whole. */
  readonly at: readonly LineRange[];
}

/** The reference's page of a rule. */
export function ruleUrl(page: string): string {
  return `https://docs.docker.com/go/dockerfile/rule/${page}/`;
}
