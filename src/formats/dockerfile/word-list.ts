// Splitting expanded text into words, while it arrives.
import { isSpace } from "./text.ts";

/** Gathers words while characters arrive: quoted ones belong to a word, blanks among the others end it. */
export class WordList {
  readonly done: string[] = [];
  #word = "";
  #open = false;

  /** Characters of which blanks end the word, but for those after `<<`, which belong to it: a heredoc's name follows. */
  addWritten(text: string): void {
    let from = 0;
    for (let at = text.indexOf("<<"); at !== -1; at = text.indexOf("<<", from)) {
      let end = at + 2;
      while (text[end] === " " || text[end] === "\t") end++;
      this.add(text.slice(from, at));
      this.addQuoted(text.slice(at, end));
      from = end;
    }
    this.add(from === 0 ? text : text.slice(from));
  }

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
