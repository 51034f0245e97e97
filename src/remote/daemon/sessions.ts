// Sessions that clients have opened: each a tunnel through a call, on which this side asks.
import type { Session } from "../../api/index.ts";
import { abortable, abortReason, type Call, delay } from "../../base/index.ts";
import {
  type BytesMessage,
  type Channel,
  openChannel,
  type ServerCall,
  StatusError,
  statusCodes,
  tunnel,
} from "../grpc/index.ts";
import { readSessionInfo, type SessionInfo } from "../session/index.ts";
import type { Figures } from "./figures.ts";

/** Turns a channel to a client into what it lends. Whoever gets it disposes of it, before the channel. */
export type OpenSession = (channel: Channel, info: SessionInfo) => Session & AsyncDisposable;

/** Milliseconds in which a session must have come that a build names: the reference's. */
const patience = 5000;
/** Of an id, name or key, in characters. */
const maxHeader = 1024;

interface Open {
  readonly session: Session;
  readonly info: SessionInfo;
  readonly gone: AbortSignal;
}

/** All sessions of a daemon, by id. */
export class Sessions {
  readonly #open: OpenSession;
  readonly #sessions = new Map<string, Open>();
  readonly #figures: Figures;
  readonly #waiting = new Set<() => void>();

  constructor(open: OpenSession, figures: Figures) {
    this.#open = open;
    this.#figures = figures;
  }

  /** Control.Session: serves as long as the client stays. */
  async *serve(
    requests: AsyncIterable<BytesMessage>,
    call: ServerCall,
  ): AsyncIterable<{ data: Uint8Array }> {
    const info = readInfo(call);
    if (this.#sessions.has(info.id)) {
      const message = `session ${info.id} is open already`;
      throw new StatusError(statusCodes.ALREADY_EXISTS, message);
    }
    const { socket, outgoing } = tunnel(requests);
    const channel = openChannel(socket);
    const session = {
      ...this.#open(channel, info),
      // Whoever knows the name of a session was told it by its client.
      peer: (id: string) => this.#sessions.get(id)?.session,
    };
    const gone = new AbortController();
    const leave = () => socket.destroy();
    call.signal.addEventListener("abort", leave, { once: true });
    this.#sessions.set(info.id, { session, info, gone: gone.signal });
    this.#figures.sessions = this.#sessions.size;
    for (const wake of this.#waiting) wake();
    call.sendHeaders(new Map());
    try {
      yield* outgoing;
    } finally {
      this.#sessions.delete(info.id);
      this.#figures.sessions = this.#sessions.size;
      gone.abort(abortReason("the client's session has ended"));
      await session[Symbol.asyncDispose]();
      await channel[Symbol.asyncDispose]();
      call.signal.removeEventListener("abort", leave);
    }
  }

  /** Waits for a session that a build names and that may be on its way. Undefined when it does not come. */
  async find(id: string, call: Call): Promise<Session | undefined> {
    const found = this.#sessions.get(id);
    if (found) return found.session;
    let wake = () => {};
    const come = new Promise<void>((resolve) => {
      wake = () => {
        if (this.#sessions.has(id)) resolve();
      };
      this.#waiting.add(wake);
    });
    const waiting = new AbortController();
    try {
      const signal = AbortSignal.any([call.signal, waiting.signal]);
      const late = delay(patience, { signal }).catch(() => {});
      await abortable(Promise.race([come, late]), call);
      return this.#sessions.get(id)?.session;
    } finally {
      waiting.abort(abortReason("the session has come"));
      this.#waiting.delete(wake);
    }
  }
}

function readInfo({ metadata }: ServerCall): SessionInfo {
  const info = readSessionInfo(metadata);
  const { id, name, sharedKey } = info;
  if (id !== "" && [id, name, sharedKey].every((text) => text.length <= maxHeader)) return info;
  const message = "a session needs an id (X-Docker-Expose-Session-Uuid)";
  throw new StatusError(statusCodes.INVALID_ARGUMENT, message);
}

/** A session of nobody: nothing is lent. `id` is the one that did not come. */
export function absentSession(id: string): Session {
  const refuse = (what: string): never => {
    const message =
      id === "" ? `the build has no session to ${what}` : `no active session for ${id}: ${what}`;
    throw new StatusError(statusCodes.FAILED_PRECONDITION, message);
  };
  return {
    directory: () => undefined,
    files: (name) => refuse(`read the local source ${JSON.stringify(name)}`),
    receive: async () => refuse("send its result to"),
    secret: async () => undefined,
    ssh: async () => undefined,
    credentials: async () => undefined,
  };
}
