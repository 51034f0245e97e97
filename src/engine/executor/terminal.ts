// A pseudo-terminal: what a process takes for a terminal, and our side of it.
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { delay, KilnError, requireKoffi } from "../../base/index.ts";

/** Numbers of ioctl(2) (asm-generic/ioctls.h). */
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;

interface Koffi {
  load(path: null): { func(prototype: string): (...args: unknown[]) => number };
}

interface Calls {
  pointer(fd: number, request: number, data: Uint8Array): number;
  value(fd: number, request: number, value: number): number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  if (loaded) return loaded;
  const koffi = requireKoffi() as Koffi;
  const libc = koffi.load(null);
  loaded = {
    pointer: libc.func("int ioctl(int fd, unsigned long request, void *data)"),
    value: libc.func("int ioctl(int fd, unsigned long request, long value)"),
  };
  return loaded;
}

/** Our side. Disposing it hangs up. */
export interface Terminal extends Disposable {
  /** For a process; closed by whoever started that. */
  readonly slave: number;
  /** What is written on the terminal; ends when nobody has it open any more. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Types. */
  write(data: Uint8Array): Promise<void>;
  resize(rows: number, columns: number): void;
}

/** Milliseconds between tries while a program does not read what is typed. */
const patience = 20;

/** Of a terminal that another process has as its standard input; of one that is none, nothing. */
export function resizeTerminalOf(pid: number, rows: number, columns: number): void {
  let opened: number;
  try {
    opened = openSync(
      `/proc/${pid}/fd/0`,
      constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK,
    );
  } catch {
    return;
  }
  setSize(opened, rows, columns);
  closeSync(opened);
}

function setSize(fd: number, rows: number, columns: number): void {
  const size = new DataView(new ArrayBuffer(8));
  size.setUint16(0, clamped(rows), littleEndian);
  size.setUint16(2, clamped(columns), littleEndian);
  calls().pointer(fd, TIOCSWINSZ, new Uint8Array(size.buffer));
}

export function openTerminal(rows: number, columns: number): Terminal {
  const { pointer, value } = calls();
  const master = openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY);
  const slave =
    pointer(master, TIOCSPTLCK, new Uint8Array(4)) < 0
      ? -1
      : value(master, TIOCGPTPEER, constants.O_RDWR | constants.O_NOCTTY);
  if (slave < 0) {
    closeSync(master);
    throw new KilnError("RUNTIME_FAILED", "this machine gives no pseudo-terminal");
  }
  const stream = new ReadStream(master);
  const resize = (high: number, wide: number) => {
    if (!stream.destroyed) setSize(master, high, wide);
  };
  resize(rows, columns);
  return {
    slave,
    output: said(stream),
    resize,
    async write(data) {
      for (let at = 0; at < data.length && !stream.destroyed; ) {
        try {
          at += writeSync(master, data, at);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
          await delay(patience, { signal: new AbortController().signal });
        }
      }
    },
    [Symbol.dispose]: () => void stream.destroy(),
  };
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function clamped(cells: number): number {
  return Math.min(Math.max(Math.trunc(cells) || 0, 0), 0xffff);
}

/** A terminal that everybody has left reads as an error: that is its end. */
async function* said(stream: ReadStream): AsyncIterable<Uint8Array> {
  try {
    for await (const data of stream) yield data as Uint8Array;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EIO" && code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}
