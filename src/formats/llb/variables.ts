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

/** One variable set once. */
class Setting {
  readonly name: string;
  readonly value: string;
  readonly text: string;
  /** Its place in the history. */
  readonly at: number;
  /** The same variable's setting before. */
  readonly before: Setting | undefined;
  /** Where the variable is set again, or the largest number. */
  until: number = Number.MAX_SAFE_INTEGER;

  constructor(name: string, value: string, at: number, before: Setting | undefined) {
    this.name = name;
    this.value = value;
    this.text = `${name}=${value}`;
    this.at = at;
    this.before = before;
  }
}

/** The settings of one line; a point of it is how many of them count. Only its end can be added to. */
class History {
  readonly #settings: Setting[] = [];
  readonly #last = new Map<string, Setting>();

  add(name: string, value: string): Variables {
    const before = this.#last.get(name);
    const setting = new Setting(name, value, this.#settings.length, before);
    if (before !== undefined) before.until = setting.at;
    this.#last.set(name, setting);
    return new Point(this, this.#settings.push(setting));
  }

  get(name: string, length: number): string | undefined {
    let setting = this.#last.get(name);
    while (setting !== undefined && setting.at >= length) setting = setting.before;
    return setting?.value;
  }

  /** What holds when `length` settings count. */
  current(length: number): readonly Setting[] {
    return this.#settings.filter(({ at, until }) => at < length && until >= length);
  }

  /** As `add` at a point: where the line has gone on from there, by a line of its own. */
  addAt(length: number, name: string, value: string): Variables {
    if (this.#settings.length === length) return this.add(name, value);
    const own = new History();
    for (const setting of this.current(length)) own.add(setting.name, setting.value);
    return own.add(name, value);
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
    return this.#history.current(this.#length).map(({ name }) => name);
  }

  list(): readonly string[] {
    this.#list ??= this.#history.current(this.#length).map(({ text }) => text);
    return this.#list;
  }

  with(name: string, value: string): Variables {
    return this.#history.addAt(this.#length, name, value);
  }
}
