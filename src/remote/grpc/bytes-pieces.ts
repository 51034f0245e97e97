// Contents of messages of bytes (field 1, as BuildKit's BytesMessage), handed on before the messages are whole.
import { ByteQueue, endedInside, type MessageSource, readPrefix } from "./framing.ts";
import { StatusError, statusCodes } from "./status.ts";

const prefixSize = 5;
/** Bytes of a field's number and kind, and of its length, at most. */
const maxVarint = 5;
const dataField = 0x0a;

export class BytesPieces implements MessageSource {
  readonly #limit: number;
  readonly #bytes = new ByteQueue();
  /** Of the message, what has not been read. */
  #messageLeft = 0;
  /** Of the field with the content, or of another one, what has not been read. */
  #fieldLeft = 0;
  #wanted = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get waiting(): number {
    return this.#bytes.size;
  }

  get ready(): boolean {
    while (this.#bytes.size > 0 && !(this.#wanted && this.#fieldLeft > 0)) {
      if (!this.#readOn()) return false;
    }
    return this.#bytes.size > 0;
  }

  push(chunk: Uint8Array): void {
    this.#bytes.push(chunk);
  }

  next(): Uint8Array | undefined {
    return this.ready ? this.#part() : undefined;
  }

  checkEnd(): void {
    if (this.#messageLeft > 0 || this.#bytes.size > 0) throw endedInside();
  }

  clear(): void {
    this.#bytes.clear();
  }

  /** False where more bytes have to come first. */
  #readOn(): boolean {
    if (this.#fieldLeft > 0) {
      this.#part();
      return true;
    }
    if (this.#messageLeft > 0) return this.#readField();
    if (this.#bytes.size < prefixSize) return false;
    const { compressed, size } = readPrefix(this.#bytes.take(prefixSize), this.#limit);
    if (compressed)
      throw new StatusError(statusCodes.UNIMPLEMENTED, "compressed messages in a tunnel");
    this.#messageLeft = size;
    return true;
  }

  /** Number and length of the next field. These messages have no fields of other kinds than bytes. */
  #readField(): boolean {
    const most = Math.min(this.#messageLeft, 2 * maxVarint);
    const head = this.#bytes.peek(most);
    const tag = varint(head, 0);
    const length = tag && varint(head, tag.end);
    if (!tag || !length) {
      if (head.length === most) throw malformed();
      return false;
    }
    if ((tag.value & 7) !== 2 || length.end + length.value > this.#messageLeft) throw malformed();
    this.#bytes.take(length.end);
    this.#messageLeft -= length.end;
    this.#fieldLeft = length.value;
    this.#wanted = tag.value === dataField;
    return true;
  }

  #part(): Uint8Array {
    const part = this.#bytes.takePart(this.#fieldLeft);
    this.#fieldLeft -= part.length;
    this.#messageLeft -= part.length;
    return part;
  }
}

/** Undefined where it does not end within the bytes. */
function varint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = start; at < bytes.length && at < start + maxVarint; at++) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}

function malformed(): StatusError {
  return new StatusError(statusCodes.INTERNAL, "malformed message: no message of bytes");
}
