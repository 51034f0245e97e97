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

/** The settings of one line; a point of it is how many of them count. Only its end can be added to. */
class History {
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  readonly #texts: string[] = [];
  /** By setting: where the name is set again, or the largest number. */
  readonly #until: number[] = [];
  /** Where each name was set, oldest first. */
  readonly #places = new Map<string, number[]>();

  add(name: string, value: string): Variables {
    const at = this.#names.push(name) - 1;
    this.#values.push(value);
    this.#texts.push(`${name}=${value}`);
    this.#until.push(Number.MAX_SAFE_INTEGER);
    const places = this.#places.get(name);
    const before = places?.at(-1);
    if (before !== undefined) this.#until[before] = at;
    if (places === undefined) this.#places.set(name, [at]);
    else places.push(at);
    return this.#point(at + 1);
  }

  #point(length: number): Variables {
    return new Point(this, length);
  }

  get(name: string, length: number): string | undefined {
    const at = this.#places.get(name)?.findLast((place) => place < length);
    return at === undefined ? undefined : this.#values[at];
  }

  keys(length: number): string[] {
    return this.#current(this.#names, length);
  }

  list(length: number): string[] {
    return this.#current(this.#texts, length);
  }

  /** As `add` at a point: where the line has gone on from there, by a line of its own. */
  addAt(length: number, name: string, value: string): Variables {
    return this.#names.length === length
      ? this.add(name, value)
      : this.#copy(length).add(name, value);
  }

  /** Of a list by setting, what belongs to settings that hold when `length` of them count. */
  #current(list: readonly string[], length: number): string[] {
    const current: string[] = [];
    for (let at = 0; at < length; at++) {
      if ((this.#until[at] ?? 0) >= length) current.push(list[at] ?? "");
    }
    return current;
  }

  #copy(length: number): History {
    const copy = new History();
    const values = this.#current(this.#values, length);
    for (const [at, name] of this.#current(this.#names, length).entries())
      copy.add(name, values[at] ?? "");
    return copy;
  }
}

/** So many settings of a history. */
class Point implements Variables {
  readonly #history: History;
  readonly #length: number;
  #list: readonly string[] | undefined;

  constructor(history: History, length: number) {
    this.#history = history;
    this.#length = length;
  }

  get(name: string): string | undefined {
    return this.#history.get(name, this.#length);
  }

  keys(): Iterable<string> {
    return this.#history.keys(this.#length);
  }

  list(): readonly string[] {
    this.#list ??= this.#history.list(this.#length);
    return this.#list;
  }

  with(name: string, value: string): Variables {
    return this.#history.addAt(this.#length, name, value);
  }
}
