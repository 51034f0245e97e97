// Header blocks that come in several frames (RFC 9113, 6.10).
import { concatBytes } from "../../base/index.ts";
import { errorCodes, Http2Error } from "./protocol.ts";

/** Frames of one block: those of 1 MiB in the smallest frames that anybody sends, and room for some that are not full. */
const maxFragments = 256;

export class HeaderBlock {
  readonly stream: number;
  readonly endStream: boolean;
  readonly #limit: number;
  readonly #fragments: Uint8Array[] = [];
  #size = 0;

  /** `limit` in bytes. */
  constructor(stream: number, endStream: boolean, limit: number) {
    this.stream = stream;
    this.endStream = endStream;
    this.#limit = limit;
  }

  /** Throws ENHANCE_YOUR_CALM for blocks that do not come to an end. */
  add(fragment: Uint8Array): void {
    this.#fragments.push(fragment);
    this.#size += fragment.length;
    if (this.#size > this.#limit || this.#fragments.length > maxFragments)
      throw new Http2Error(errorCodes.ENHANCE_YOUR_CALM, "a header block without end");
  }

  whole(): Uint8Array {
    const [only] = this.#fragments;
    return only && this.#fragments.length === 1 ? only : concatBytes(this.#fragments);
  }
}
