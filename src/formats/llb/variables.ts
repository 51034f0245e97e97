// Variables as a list of settings, oldest first: a longer list shares all with the shorter one that it was made from.

/** Variables as they are after some settings. */
export interface VariableSet {
  get(name: string): string | undefined;
  /** Names in the order in which they were last set. */
  keys(): Iterable<string>;
  /** `NAME=value`, in the same order. */
  list(): readonly string[];
}

/** A point in a history of settings. */
export interface Variables extends VariableSet {
  with(name: string, value: string): Variables;
}

export const noVariables: Variables = {
  get: () => undefined,
  keys: () => [],
  list: () => [],
  with: (name, value) => new History().add(name, value),
};

interface Setting {
  readonly at: number;
  readonly value: string;
  readonly text: string;
}

/** One line of settings; a point of it is how many of them count. Only its end can be added to. */
class History {
  readonly #names: string[] = [];
  readonly #settings = new Map<string, Setting[]>();

  add(name: string, value: string): Variables {
    const at = this.#names.push(name) - 1;
    const setting = { at, value, text: `${name}=${value}` };
    const before = this.#settings.get(name);
    if (before === undefined) this.#settings.set(name, [setting]);
    else before.push(setting);
    return this.#point(at + 1);
  }

  #point(length: number): Variables {
    return {
      get: (name) => this.#last(name, length)?.value,
      keys: () => this.#current(length).map(({ name }) => name),
      list: () => this.#current(length).map(({ text }) => text),
      with: (name, value) =>
        this.#names.length === length ? this.add(name, value) : this.#copy(length).add(name, value),
    };
  }

  #last(name: string, length: number): Setting | undefined {
    return this.#settings.get(name)?.findLast(({ at }) => at < length);
  }

  #current(
    length: number,
  ): { readonly name: string; readonly value: string; readonly text: string }[] {
    return this.#names.slice(0, length).flatMap((name, at) => {
      const last = this.#last(name, length);
      return last?.at === at ? [{ name, value: last.value, text: last.text }] : [];
    });
  }

  #copy(length: number): History {
    const copy = new History();
    for (const { name, value } of this.#current(length)) copy.add(name, value);
    return copy;
  }
}
