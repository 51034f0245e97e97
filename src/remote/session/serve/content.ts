// The asking side's stores of blobs: OCI layouts, local caches, images exported as directories.
import type { LentLayout, LentStore, Session } from "../../../api/index.ts";
import { type Bytes, type Call, type Digest, isDigest, parseDigest } from "../../../base/index.ts";
import { content } from "../../../formats/proto/index.ts";
import { bind, type ServerCall, type Service, StatusError, statusCodes } from "../../grpc/index.ts";
import { metadataKeys, storeNames } from "../metadata.ts";

const { WriteAction } = content;
type WriteRequest = content.WriteContentRequest;
type WriteResponse = content.WriteContentResponse;

/** Largest piece in one message, in bytes. */
const pieceSize = 1 << 20;

export function serveContent(session: Session): Service {
  return bind(content.ContentDefinition, {
    async info({ digest }, call) {
      const size = await sizeOf(storeOf(session, call), digest, call);
      return { info: infoOf(digest, size) };
    },
    async *read({ digest, offset, size }, call) {
      const store = storeOf(session, call);
      const total = await sizeOf(store, digest, call);
      const end = size > 0 ? Math.min(total, offset + size) : total;
      if (offset < 0 || offset > total)
        throw new StatusError(statusCodes.OUT_OF_RANGE, `offset ${offset} of ${total} bytes`);
      yield* pieces(store.read(parseDigest(digest), call), offset, end);
    },
    async *list() {
      yield* [];
    },
    async listStatuses() {
      return { statuses: [] };
    },
    async status({ ref }) {
      throw new StatusError(statusCodes.NOT_FOUND, `ingest ${ref}: not found`);
    },
    async abort({ ref }) {
      throw new StatusError(statusCodes.NOT_FOUND, `ingest ${ref}: not found`);
    },
    async update({ info }, call) {
      // Labels are for whoever collects garbage; nobody does here.
      const digest = info?.digest ?? "";
      const size = await sizeOf(storeOf(session, call), digest, call);
      return { info: infoOf(digest, size) };
    },
    write: (requests, call) => write(storeOf(session, call), requests, call),
  });
}

function storeOf(session: Session, call: ServerCall): LentLayout {
  const id = call.metadata.get(metadataKeys.store)?.[0];
  if (id === undefined)
    throw new StatusError(
      statusCodes.INVALID_ARGUMENT,
      `request lacks metadata "${metadataKeys.store}"`,
    );
  const layout = id.startsWith(storeNames.layoutPrefix)
    ? session.layout?.(id.slice(storeNames.layoutPrefix.length))
    : undefined;
  const store = layout ?? session.store?.(id);
  if (store) return store;
  throw new StatusError(statusCodes.NOT_FOUND, `unknown store ${JSON.stringify(id)}`);
}

async function sizeOf(store: LentLayout, digest: string, call: Call): Promise<number> {
  if (!isDigest(digest))
    throw new StatusError(statusCodes.INVALID_ARGUMENT, `${JSON.stringify(digest)} is no digest`);
  const size = await store.size(parseDigest(digest), call);
  if (size !== undefined) return size;
  throw new StatusError(statusCodes.NOT_FOUND, `content ${digest}: not found`);
}

function infoOf(digest: string, size: number): content.Info {
  return { digest, size, createdAt: undefined, updatedAt: undefined, labels: new Map() };
}

async function* pieces(data: Bytes, start: number, end: number) {
  let at = 0;
  for await (const chunk of data) {
    const from = Math.max(0, start - at);
    const to = Math.min(chunk.length, end - at);
    for (let piece = from; piece < to; piece += pieceSize) {
      yield { offset: at + piece, data: chunk.subarray(piece, Math.min(to, piece + pieceSize)) };
    }
    at += chunk.length;
    if (at >= end) return;
  }
}

function isWritable(store: LentLayout): store is LentStore {
  return "write" in store;
}

/**
 * One upload: asked how far it is, given pieces in order, and committed. Its digest and size, where they are told at the
 * beginning, decide whether anything is to be sent at all.
 */
async function* write(
  store: LentLayout,
  requests: AsyncIterable<WriteRequest>,
  call: Call,
): AsyncGenerator<WriteResponse, void> {
  if (!isWritable(store))
    throw new StatusError(statusCodes.PERMISSION_DENIED, "the store is lent for reading only");
  await using upload = new Upload(store, call);
  for await (const request of requests) {
    await upload.expect(request);
    if (request.data.length > 0) await upload.add(request);
    const digest = request.action === WriteAction.COMMIT ? await upload.commit(request) : "";
    yield upload.answer(request.action, digest);
    if (digest !== "") return;
  }
}

class Upload implements AsyncDisposable {
  readonly #store: LentStore;
  readonly #call: Call;
  #expected: Digest | undefined;
  #total = 0;
  #offset = 0;
  #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;
  #room: (() => void) | undefined;
  #written: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(store: LentStore, call: Call) {
    this.#store = store;
    this.#call = call;
  }

  /** Takes note of what is to come. Throws ALREADY_EXISTS for a blob that is there. */
  async expect({ expected, total }: WriteRequest): Promise<void> {
    if (total > 0) this.#total = total;
    if (expected === "" || this.#expected !== undefined) return;
    if (!isDigest(expected))
      throw new StatusError(statusCodes.INVALID_ARGUMENT, `${expected} is no digest`);
    this.#expected = parseDigest(expected);
    if ((await this.#store.size(this.#expected, this.#call)) !== undefined)
      throw new StatusError(statusCodes.ALREADY_EXISTS, `content ${expected}: already exists`);
  }

  async add({ offset, data }: WriteRequest): Promise<void> {
    if (offset !== this.#offset)
      throw new StatusError(
        statusCodes.OUT_OF_RANGE,
        `offset ${offset} instead of ${this.#offset}`,
      );
    this.#start();
    this.#offset += data.length;
    this.#chunks.push(data);
    this.#wake?.();
    if (this.#failure) throw this.#failure.error;
    if (this.#chunks.length > 4)
      await new Promise<void>((resolve) => {
        this.#room = resolve;
      });
  }

  async commit({ total }: WriteRequest): Promise<string> {
    if (total > 0 && total !== this.#offset)
      throw new StatusError(
        statusCodes.FAILED_PRECONDITION,
        `${this.#offset} bytes came of ${total}`,
      );
    this.#start();
    this.#ended = true;
    this.#wake?.();
    await this.#written;
    if (this.#failure) throw this.#failure.error;
    return this.#expected ?? "";
  }

  answer(action: WriteRequest["action"], digest: string): WriteResponse {
    const now = new Date();
    return {
      action,
      startedAt: now,
      updatedAt: now,
      offset: this.#offset,
      total: this.#total,
      digest,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#failure ??= { error: new Error("the upload broke off") };
    this.#ended = true;
    this.#wake?.();
    await this.#written;
  }

  #start(): void {
    if (this.#written !== undefined) return;
    const digest = this.#expected;
    if (digest === undefined)
      throw new StatusError(statusCodes.INVALID_ARGUMENT, "an upload must say what it will be");
    this.#written = this.#store
      .write(digest, this.#total, this.#data(), this.#call)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#room?.());
  }

  async *#data(): Bytes {
    for (;;) {
      const chunk = this.#chunks.shift();
      this.#room?.();
      if (chunk) {
        yield chunk;
        continue;
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
