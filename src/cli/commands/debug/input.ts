// Standard input, shared by processes and the monitor: bytes for the one, lines for the other.

/** Ctrl-a, then c. */
const control = 0x01;
const toggle = 0x63;

/** Bytes for one process. Ends with `end`, or with standard input. */
export class TypedBytes implements AsyncIterable<Uint8Array> {
  readonly #waiting: Uint8Array[] = [];
  #ended = false;
  #wake = () => {};

  put(data: Uint8Array): void {
    if (!this.#ended) this.#waiting.push(data);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) yield next;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** Reads standard input once, for whoever has it at the time. */
export class SharedInput {
  #process: { readonly bytes: TypedBytes; readonly leave: () => void } | undefined;
  #escaped = false;
  #rest = "";
  #ended = false;
  readonly #lines: string[] = [];
  /** What came when nobody had the input: it goes to whoever is next. */
  #unclaimed: Uint8Array[] = [];
  #wake = () => {};
  readonly #source: AsyncIterator<Uint8Array>;

  constructor(stdin: AsyncIterable<Uint8Array>) {
    this.#source = stdin[Symbol.asyncIterator]();
    void this.#read().catch(() => this.#end());
  }

  /** All that is typed goes there, until `undefined` is given; `leave` is called for Ctrl-a c. */
  attach(process: { readonly bytes: TypedBytes; readonly leave: () => void } | undefined): void {
    this.#process = process;
    if (!process) return;
    for (const data of this.#unclaimed.splice(0))
      process.bytes.put(this.#unescaped(data, process.leave));
    if (this.#ended) process.bytes.end();
  }

  /** The next line; undefined at the end. */
  async line(): Promise<string | undefined> {
    for (;;) {
      for (const data of this.#unclaimed.splice(0)) this.#addText(new TextDecoder().decode(data));
      const next = this.#lines.shift();
      if (next !== undefined) return next;
      if (this.#ended) return this.#lastLine();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#end();
    void this.#source.return?.();
  }

  async #read(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#source.next();
      if (done) break;
      const process = this.#process;
      if (process) process.bytes.put(this.#unescaped(value, process.leave));
      else {
        this.#unclaimed.push(value);
        this.#wake();
      }
    }
    this.#end();
  }

  #addText(text: string): void {
    const lines = (this.#rest + text).split(/\r?\n|\r/);
    this.#rest = lines.pop() ?? "";
    this.#lines.push(...lines);
  }

  /** What no line break follows. */
  #lastLine(): string | undefined {
    const last = this.#rest === "" ? undefined : this.#rest;
    this.#rest = "";
    return last;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#process?.bytes.end();
    this.#wake();
  }

  #unescaped(data: Uint8Array, leave: () => void): Uint8Array {
    const kept: number[] = [];
    for (const byte of data) {
      if (this.#escaped) {
        this.#escaped = false;
        if (byte === toggle) leave();
        else kept.push(control, byte);
      } else if (byte === control) this.#escaped = true;
      else kept.push(byte);
    }
    return Uint8Array.from(kept);
  }
}
