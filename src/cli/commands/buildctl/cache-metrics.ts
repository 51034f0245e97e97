// --debug-json-cache-metrics: how much of a build came from the cache, counted from what it says.
import type { BuildEvent } from "../../../api/index.ts";
import type { Digest } from "../../../base/index.ts";

interface Seen {
  readonly name: string;
  cached: boolean;
  completed: boolean;
}

/** Names of steps that are no work of the user's. */
const internal = /^(\[internal\]|\[auth\]|importing cache|exporting )/;
const base = /^\[.*\] FROM/;

/** Watches a build's events. */
export class CacheMetrics {
  readonly #steps = new Map<Digest, Seen>();
  readonly #began = performance.now();

  event(event: BuildEvent): void {
    if (event.type !== "step") return;
    const { step, name, state } = event;
    const seen = this.#steps.get(step) ?? { name, cached: false, completed: false };
    this.#steps.set(step, seen);
    if (state === "cached") seen.cached = true;
    if (state !== "planned" && state !== "started") seen.completed = true;
  }

  /** A line for each step that was not cached, then the counts as JSON with the reference's keys. */
  report(): string {
    const all = [...this.#steps.values()];
    const own = all.filter(({ name }) => !internal.test(name));
    const from = own.filter(({ name }) => base.test(name));
    const missed = own.filter(({ name, cached }) => !cached && !base.test(name));
    const completed = (steps: readonly Seen[]) => steps.filter((one) => one.completed).length;
    const counts = {
      total: all.length,
      completed: completed(all),
      user_total: own.length,
      user_cached: own.filter(({ cached }) => cached).length,
      user_completed: completed(own),
      user_cacheable: own.length - from.length,
      from: from.length,
      miss: missed.length,
      client_duration_ms: Math.round(performance.now() - this.#began),
    };
    const lines = missed.map(({ name }) => `cache miss: ${name}\n`);
    return `${lines.join("")}${JSON.stringify(counts)}\n`;
  }
}
