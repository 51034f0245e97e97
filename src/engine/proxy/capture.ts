// What a step asked for through the proxy: for its log, and for the provenance of what it made.
import type { Digest } from "../../base/index.ts";

/** Requests that are told of in a step's log. */
const maxTold = 1000;
/** Materials of a step; with more they are called incomplete. */
const maxMaterials = 10_000;

/** Something that a step fetched whole. Of the URL no credentials are left. */
export interface FetchedMaterial {
  readonly url: string;
  readonly digest: Digest;
}

/** BuildKit's words for why a request left no material. */
export type IncompleteReason =
  | "method_not_materializable"
  | "partial_response"
  | "response_transformed"
  | "body_read_failed"
  | "unsuccessful_response"
  | "upstream_error";

export interface IncompleteMaterial {
  readonly method: string;
  readonly url: string;
  readonly reason: IncompleteReason;
}

/** What is known of a step when it has ended. */
export interface Fetched {
  readonly materials: readonly FetchedMaterial[];
  readonly incomplete: readonly IncompleteMaterial[];
}

/** One request, with the answer's status. */
export interface ToldRequest {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  /** Where the answer sent the step. */
  readonly redirect?: string;
  /** Why it was not as it should have been, for the step's log. */
  readonly why?: string;
}

export class Capture {
  readonly #lines: string[] = [];
  #untold = 0;
  readonly #materials = new Map<string, Digest>();
  readonly #redirects = new Map<string, string>();
  readonly #incomplete = new Map<string, IncompleteMaterial>();

  request({ method, url, status, redirect, why }: ToldRequest): void {
    if (redirect !== undefined && this.#redirects.size < maxMaterials)
      this.#redirects.set(url, redirect);
    if (this.#lines.length >= maxTold) {
      this.#untold++;
      return;
    }
    this.#lines.push(`- ${method} ${url} -> ${status}`);
    if (why !== undefined) this.#lines.push(`  ${why}`);
  }

  material(url: string, digest: Digest): void {
    if (this.#materials.size < maxMaterials || this.#materials.has(url))
      this.#materials.set(url, digest);
    else this.incomplete("GET", url, "body_read_failed");
  }

  incomplete(method: string, url: string, reason: IncompleteReason): void {
    if (this.#incomplete.size < maxMaterials)
      this.#incomplete.set(`${method} ${url} ${reason}`, { method, url, reason });
  }

  /** As BuildKit writes it; undefined where nothing was asked for. */
  get summary(): string | undefined {
    if (this.#lines.length === 0) return undefined;
    const more = this.#untold === 0 ? [] : [`(and ${this.#untold} more)`];
    return `${["proxy network requests:", ...this.#lines, ...more].join("\n")}\n`;
  }

  /** A URL that led to a material by redirects stands for it too. */
  get fetched(): Fetched {
    const all = new Map(this.#materials);
    for (const from of this.#redirects.keys()) {
      const digest = all.has(from) ? undefined : this.#behind(from);
      if (digest !== undefined) all.set(from, digest);
    }
    return {
      materials: [...all].map(([url, digest]) => ({ url, digest })),
      incomplete: [...this.#incomplete.values()],
    };
  }

  #behind(from: string): Digest | undefined {
    const seen = new Set<string>();
    for (let at: string | undefined = from; at !== undefined && !seen.has(at); ) {
      const digest = this.#materials.get(at);
      if (digest !== undefined) return digest;
      seen.add(at);
      at = this.#redirects.get(at);
    }
    return undefined;
  }
}
