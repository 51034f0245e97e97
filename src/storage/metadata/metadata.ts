// Small facts that several processes read and write at once, and that survive a crash of any of them.

/** One named map from strings to values; a view on the database, without a life of its own. */
export interface MetadataTable<Value> {
  get(key: string): Value | undefined;
  /** Entries whose keys begin with `prefix`, in the keys' byte order; a snapshot of the moment. */
  range(prefix: string): readonly MetadataEntry<Value>[];
  /** Only inside `Metadata.transaction()`. */
  put(key: string, value: Value): void;
  /** Only inside `Metadata.transaction()`. Absent keys are fine. */
  delete(key: string): void;
}

export interface MetadataEntry<Value> {
  readonly key: string;
  readonly value: Value;
}

/** How a table's values become text. */
export interface MetadataCodec<Value> {
  encode(value: Value): string;
  decode(text: string): Value;
}

/**
 * A typed key-value store. Reads see what any process had committed when this process last turned to its event loop, or
 * called `refresh`, and all that it committed itself; inside a transaction also its own writes.
 */
export interface Metadata extends AsyncDisposable {
  /** Values are JSON unless a codec says otherwise. Names are fixed words, up to 30 letters, digits and dashes. */
  table<Value>(name: string, codec?: MetadataCodec<Value>): MetadataTable<Value>;
  /**
   * Runs `work` alone among all processes and commits what it wrote, all or nothing; throwing writes nothing. Returns when
   * other processes can see it and this process may be killed. A transaction inside another becomes part of it.
   */
  transaction<T>(work: () => T): T;
  /** From now on reads see what others have committed up to now: for who has just got a lock. */
  refresh(): void;
}
