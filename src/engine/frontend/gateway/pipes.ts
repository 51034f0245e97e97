// A process's input and output as one socket, its complaints aside.
import { Duplex } from "node:stream";

/** Bytes of complaints that are told when the process fails. */
const maxComplaint = 8 * 1024;

/** Milliseconds for which what the process says may wait to be read. */
const patience = 15_000;

/** Milliseconds in which a process has to begin to speak; the reference gives it ten seconds. */
const silence = 20_000;

export class Pipes {
  readonly socket: Duplex;
  readonly input: AsyncIterable<Uint8Array>;
  readonly #typed: { readonly data: Uint8Array; readonly done: () => void }[] = [];
  #complaint = "";
  #ended = false;
  #wakeInput = () => {};
  #wakeOutput = () => {};

  /** A program that says nothing at all is no frontend, such as a shell that waits for commands. */
  readonly #silence: NodeJS.Timeout;

  constructor() {
    this.#silence = setTimeout(() => this.socket.destroy(), silence);
    this.socket = new Duplex({
      read: () => this.#wakeOutput(),
      write: (data: Uint8Array, _encoding, done) => {
        if (this.#ended) return done();
        this.#typed.push({ data, done: () => done() });
        this.#wakeInput();
      },
      final: (done) => {
        this.#inputEnds();
        done();
      },
      destroy: (error, done) => {
        this.#inputEnds();
        done(error);
      },
    });
    this.socket.on("error", () => {});
    this.input = this.#take();
  }

  /** What the process says; resolves when there is room for more. */
  async say(data: Uint8Array): Promise<void> {
    clearTimeout(this.#silence);
    if (this.socket.destroyed || this.socket.push(data)) return;
    await new Promise<void>((resolve) => {
      // Whoever speaks the protocol reads on: the connection has ended over what the process says.
      const dead = setTimeout(() => this.socket.destroy(), patience);
      const go = () => {
        clearTimeout(dead);
        resolve();
      };
      this.#wakeOutput = go;
      this.socket.once("close", go);
    });
  }

  complain(data: Uint8Array): void {
    this.#complaint = (this.#complaint + new TextDecoder().decode(data)).slice(-maxComplaint);
  }

  complaint(): string {
    return this.#complaint.trim();
  }

  /** The process has ended: nobody reads or says anything more. */
  end(): void {
    clearTimeout(this.#silence);
    this.#inputEnds();
    if (!this.socket.destroyed && !this.socket.readableEnded) this.socket.push(null);
    this.#wakeOutput();
  }

  #inputEnds(): void {
    this.#ended = true;
    for (const { done } of this.#typed.splice(0)) done();
    this.#wakeInput();
  }

  async *#take(): AsyncIterable<Uint8Array> {
    for (;;) {
      const next = this.#typed.shift();
      if (next) {
        yield next.data;
        next.done();
      } else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wakeInput = resolve;
        });
    }
  }
}
