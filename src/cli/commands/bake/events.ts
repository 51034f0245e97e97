// Events of several builds as those of one: steps that builds share are told of once, others say whose they are.
import type { BuildEvent } from "../../../api/index.ts";
import { EventQueue } from "../../../base/index.ts";

/** Takes the events of one build after another, all at the same time. */
export class JoinedEvents {
  readonly #queue = new EventQueue<BuildEvent>();
  /** Which build tells of a step, and whether it has failed. */
  readonly #owners = new Map<string, { readonly target: string; over: boolean }>();
  readonly #prefixed: boolean;
  #open = 1;

  /** `prefixed` puts targets before the names of their steps. */
  constructor(prefixed: boolean) {
    this.#prefixed = prefixed;
  }

  get events(): AsyncIterable<BuildEvent> {
    return this.#queue;
  }

  /** Resolves when the build has said everything. */
  async add(target: string, events: AsyncIterable<BuildEvent>): Promise<void> {
    this.#open++;
    try {
      for await (const event of events) {
        const told = this.#told(target, event);
        if (told) this.#queue.push(told);
      }
    } finally {
      this.end();
    }
  }

  /** No more builds are added. */
  end(): void {
    if (--this.#open === 0) this.#queue.end();
  }

  #told(target: string, event: BuildEvent): BuildEvent | undefined {
    if (event.type === "warning" || event.type === "explanation") return event;
    const owner = this.#owners.get(event.step) ?? { target, over: false };
    // What is only planned may be begun by another build.
    if (event.type === "step" && event.state !== "planned") this.#owners.set(event.step, owner);
    if (owner.target !== target) {
      // A build that ended early leaves its steps to those that go on.
      const takesOver = event.type === "step" && owner.over && event.state !== "planned";
      if (!takesOver) return undefined;
      this.#owners.set(event.step, { target, over: false });
    }
    if (event.type !== "step") return event;
    if (event.state === "cancelled") owner.over = true;
    return this.#prefixed ? { ...event, name: withPrefix(target, event.name) } : event;
  }
}

function withPrefix(target: string, name: string): string {
  return name.startsWith("[") ? `[${target} ${name.slice(1)}` : `[${target}] ${name}`;
}
