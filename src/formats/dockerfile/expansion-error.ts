// What is thrown for a word that cannot be expanded.

/** A word that cannot be expanded. */
export class ExpansionError extends Error {
  /** Variables that were looked up before, and were not set. */
  readonly unmatched: ReadonlySet<string>;
  /** The word as it was written. */
  readonly word?: string;

  constructor(message: string, unmatched: ReadonlySet<string> = new Set(), word?: string) {
    super(message);
    this.name = "ExpansionError";
    this.unmatched = unmatched;
    if (word !== undefined) this.word = word;
  }
}
