// Ownership of resources: a stack that disposes in reverse order (Node 20 has no AsyncDisposableStack).

/** Collects disposables and clean-up steps; disposing runs them last-in first-out, all of them, even after a failure. */
export class AsyncStack implements AsyncDisposable {
  #steps: (() => unknown)[] = [];

  /** Takes over ownership of `resource` and returns it. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.defer(() =>
      Symbol.asyncDispose in resource
        ? (resource as AsyncDisposable)[Symbol.asyncDispose]()
        : (resource as Disposable)[Symbol.dispose](),
    );
    return resource;
  }

  /** Runs `step` when the stack is disposed. */
  defer(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Hands everything to a new stack, so that disposing this one does nothing: for constructors that succeeded. */
  move(): AsyncStack {
    const next = new AsyncStack();
    next.#steps = this.#steps;
    this.#steps = [];
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, "several clean-up steps failed");
  }
}
