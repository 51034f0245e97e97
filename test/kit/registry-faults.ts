// What can go wrong with a registry, on order: each fault meets the next request that its rule matches.

/** What happens instead of, or in the middle of, the proper answer. Counts are in bytes, times in milliseconds. */
export type Fault =
  /** An answer of its own, before the body is read. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The connection is cut: before the answer, or after so much of a download or an upload. */
  | { readonly kind: "cut"; readonly after?: number }
  /** So much of an upload is read, then it is refused. */
  | { readonly kind: "refuse"; readonly after: number; readonly status: number }
  /** The download ends early, and properly, as if that were all. */
  | { readonly kind: "truncate"; readonly after: number }
  /** One byte of the download is another. */
  | { readonly kind: "corrupt"; readonly at: number }
  /** More than there is. */
  | { readonly kind: "extra"; readonly bytes: number }
  /** Pauses between pieces of the download. */
  | { readonly kind: "slow"; readonly piece: number; readonly pause: number }
  /** Nothing ever comes. */
  | { readonly kind: "silence" }
  /** The answer says that it has this digest. */
  | { readonly kind: "mislabel"; readonly digest: string };

export interface FaultRule {
  readonly method?: string;
  /** Matched against the path without `/v2/`. */
  readonly path?: RegExp;
  /** How many requests meet it; 1 if left out. */
  readonly times?: number;
  /** How many matching requests go by first. */
  readonly after?: number;
  /** Asked last, once for each request that matches otherwise. */
  readonly when?: () => boolean;
}

export class FaultList {
  readonly #rules: {
    readonly rule: FaultRule;
    readonly fault: Fault;
    skip: number;
    left: number;
  }[] = [];

  add(rule: FaultRule, fault: Fault): void {
    this.#rules.push({ rule, fault, skip: rule.after ?? 0, left: rule.times ?? 1 });
  }

  /** Forgets all faults; says whether there were any. */
  clear(): boolean {
    return this.#rules.splice(0).length > 0;
  }

  take(request: { readonly method: string; readonly path: string }): Fault | undefined {
    const found = this.#rules.find(({ rule, left }) => left > 0 && matches(rule, request));
    if (!found) return undefined;
    if (found.skip > 0) {
      found.skip--;
      return undefined;
    }
    found.left--;
    return found.fault;
  }
}

function matches(
  rule: FaultRule,
  request: { readonly method: string; readonly path: string },
): boolean {
  return (
    (rule.method === undefined || rule.method === request.method) &&
    (rule.path?.test(request.path) ?? true) &&
    (rule.when?.() ?? true)
  );
}
