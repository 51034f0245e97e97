// Splitting expanded text into words, while it arrives.
import { isSpace } from "./text.ts";

/** Gathers words while characters arrive: quoted ones belong to a word, blanks among the others end it. */
export class WordList {
  readonly done: string[] = [];
  #word = "";
  #open = false;

  /** Characters of which blanks end the word. */
  add(text: string): void {
    for (let at = 0; at < text.length; ) {
      const space = isSpace(text.charCodeAt(at));
      const from = at;
      while (at < text.length && isSpace(text.charCodeAt(at)) === space) at++;
      if (space) this.#end();
      else this.addQuoted(text.slice(from, at));
    }
  }

  addQuoted(text: string): void {
    this.#word += text;
    this.#open = true;
  }

  /** Forgets the word that has begun. */
  drop(): void {
    this.#word = "";
  }

  finish(): readonly string[] {
    this.#end();
    return this.done;
  }

  #end(): void {
    // An empty word is none, even when it was quoted.
    if (!this.#open || this.#word === "") return;
    this.done.push(this.#word);
    this.#word = "";
    this.#open = false;
  }
}
