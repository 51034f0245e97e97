// A step's output as lines for people: bytes decoded, carriage returns obeyed, control sequences removed.
import { stripVTControlCharacters } from "node:util";

/** A line as it is shown, with the step's seconds at which it ended. */
export interface LogLine {
  readonly text: string;
  readonly atMs: number;
}

/** A line without an end grows no further than this; the rest is put on lines of its own. */
const longestLine = 8192;

/** Cuts one step's output into lines. Standard output and error are decoded apart, so that no character is torn. */
export class LogLines {
  readonly #colored: boolean;
  readonly #streams = new Map<
    number,
    { decoder: InstanceType<typeof TextDecoder>; open: string }
  >();

  /** With `colored`, colour sequences stay and all others go; without, all go. */
  constructor(colored: boolean) {
    this.#colored = colored;
  }

  /** Takes a chunk and returns the lines it completed. */
  add(stream: number, data: Uint8Array): string[] {
    const state = this.#streams.get(stream) ?? { decoder: new TextDecoder(), open: "" };
    this.#streams.set(stream, state);
    const text = state.open + state.decoder.decode(data, { stream: true });
    const pieces = text.split("\n");
    state.open = pieces.pop() ?? "";
    const lines = pieces.map((piece) => this.#clean(piece));
    for (; state.open.length > longestLine; state.open = state.open.slice(longestLine)) {
      lines.push(this.#clean(state.open.slice(0, longestLine)));
    }
    return lines;
  }

  /** What was written last without a line end; shown live while a step runs. */
  open(): string {
    for (const { open } of this.#streams.values()) if (open !== "") return this.#clean(open);
    return "";
  }

  /** Ends the output: returns lines that were never ended. */
  end(): string[] {
    const lines = [...this.#streams.values()].map(({ open }) => open).filter((open) => open !== "");
    this.#streams.clear();
    return lines.map((line) => this.#clean(line));
  }

  #clean(line: string): string {
    // What a terminal would show in the end of a line that was overwritten with carriage returns.
    const shown = line.replace(/\r+$/, "");
    const last = shown.slice(shown.lastIndexOf("\r") + 1);
    return this.#colored ? keepColors(last) : cleanText(last);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are made of them.
const colorSequence = /\u001b\[[0-9;:]*m/g;

function keepColors(text: string): string {
  const colors = text.match(colorSequence);
  if (!colors) return cleanText(text);
  const parts = text.split(colorSequence).map(cleanText);
  return `${parts.map((part, at) => part + (colors[at] ?? "")).join("")}\u001b[0m`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const controlCharacters = /[\u0000-\u001f\u007f-\u009f]/g;

/** Text that cannot steer the terminal: no control sequences, tabs as blanks. */
export function cleanText(text: string): string {
  return stripVTControlCharacters(text).replaceAll("\t", "    ").replace(controlCharacters, "");
}
