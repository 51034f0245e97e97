// What both sides of a call see: metadata, services as data, and the four shapes of methods.
import type { Duplex } from "node:stream";
import type { Call } from "../../base/index.ts";
import type { StatusError } from "./status.ts";

/** Headers and trailers of a call, by lower-case key. Values of keys that end in `-bin` are base64 without padding. */
export type Metadata = ReadonlyMap<string, readonly string[]>;

/** Encodes and decodes one kind of message, as generated code does. What is sent may have more forms than what is received. */
export interface MessageType<T, Sent = T> {
  encode(message: Sent): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** One method of a service, as generated code describes it. */
export interface MethodDefinition {
  readonly name: string;
  // The generator's types meet here in both directions: what a method is called with, and what it answers.
  readonly requestType: unknown;
  readonly requestStream: boolean;
  readonly responseType: unknown;
  readonly responseStream: boolean;
}

/** A service as data: `outputServices=generic-definitions` of the generator. */
export interface ServiceDefinition {
  readonly name: string;
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

type ReceivedOf<T> = T extends { decode(input: never, ...more: never[]): infer M } ? M : never;
type SentOf<T> = T extends { encode(message: infer M, ...more: never[]): unknown } ? M : never;

/** What a caller may leave out of a message: generated code fills in the defaults of what is absent. */
export type RequestOf<M extends MethodDefinition> = ReceivedOf<M["requestType"]>;
export type ResponseOf<M extends MethodDefinition> = ReceivedOf<M["responseType"]>;
type SentRequestOf<M extends MethodDefinition> = SentOf<M["requestType"]>;
type SentResponseOf<M extends MethodDefinition> = SentOf<M["responseType"]>;

/** A call as the serving side sees it; its signal is aborted when the caller cancels, vanishes or runs out of time. */
export interface ServerCall extends Call {
  readonly metadata: Metadata;
  /** Full name, such as `moby.buildkit.v1.Control`. */
  readonly service: string;
  readonly method: string;
  /** Sends headers now; without it they go with the first message. Throws nothing when they are gone already. */
  sendHeaders(metadata: Metadata): void;
  /** Sent after the last message, with the status. */
  setTrailers(metadata: Metadata): void;
}

/** A call as the asking side makes it. */
export interface ClientCall extends Call {
  /** Goes to the other side. Named apart from what a `ServerCall` has received: a call that is passed on takes none of it along. */
  readonly sendMetadata?: Metadata | undefined;
  /** Told once, when the other side's headers have come. */
  readonly onHeaders?: (metadata: Metadata) => void;
}

/** How a method is served: unary, server stream, client stream or both, as its definition says. */
export type Handler<M extends MethodDefinition> = M["requestStream"] extends true
  ? M["responseStream"] extends true
    ? (requests: AsyncIterable<RequestOf<M>>, call: ServerCall) => AsyncIterable<SentResponseOf<M>>
    : (requests: AsyncIterable<RequestOf<M>>, call: ServerCall) => Promise<SentResponseOf<M>>
  : M["responseStream"] extends true
    ? (request: RequestOf<M>, call: ServerCall) => AsyncIterable<SentResponseOf<M>>
    : (request: RequestOf<M>, call: ServerCall) => Promise<SentResponseOf<M>>;

/** Methods left out are answered with UNIMPLEMENTED. */
export type Implementation<S extends ServiceDefinition> = {
  readonly [K in keyof S["methods"]]?: Handler<S["methods"][K]>;
};

/** How a method is called. Ending the iteration of a response stream early cancels the call. */
export type Method<M extends MethodDefinition> = M["requestStream"] extends true
  ? M["responseStream"] extends true
    ? (requests: AsyncIterable<SentRequestOf<M>>, call: ClientCall) => AsyncIterable<ResponseOf<M>>
    : (requests: AsyncIterable<SentRequestOf<M>>, call: ClientCall) => Promise<ResponseOf<M>>
  : M["responseStream"] extends true
    ? (request: SentRequestOf<M>, call: ClientCall) => AsyncIterable<ResponseOf<M>>
    : (request: SentRequestOf<M>, call: ClientCall) => Promise<ResponseOf<M>>;

export type Client<S extends ServiceDefinition> = {
  readonly [K in keyof S["methods"]]: Method<S["methods"][K]>;
};

/** A method ready to be served, its messages typed by its definition only. */
export interface BoundMethod {
  /** `/service/method`. */
  readonly path: string;
  readonly service: string;
  readonly definition: MethodDefinition;
  readonly handler: unknown;
}

/** A service with what serves it: made by `bind`. */
export interface Service {
  readonly definition: ServiceDefinition;
  readonly methods: readonly BoundMethod[];
}

/** Limits of a connection. */
export interface ConnectionOptions {
  /** Largest message that is taken, in bytes; 16 MiB where absent. A larger one ends its call with RESOURCE_EXHAUSTED. */
  readonly maxMessageSize?: number;
  /** Milliseconds between pings; none where absent. A ping unanswered for as long ends the connection. */
  readonly keepAlive?: number;
}

export interface ServerOptions extends ConnectionOptions {
  /** Told of failures that no caller can be told of. */
  readonly onError?: (error: unknown) => void;
  /** Told of calls of one request and one answer that failed, and what their callers are told. */
  readonly onFailure?: (path: string, status: StatusError) => void;
  /** Calls that one connection may have open at once; 1000 where absent. */
  readonly maxConcurrentCalls?: number;
}

/** Serves any number of connections. Disposing it cuts all of them; `shutdown` lets calls end first. */
export interface GrpcServer extends AsyncDisposable {
  /** Takes over one connection: a socket, or a tunnel through another call. Resolves when it has ended. */
  accept(socket: Duplex): Promise<void>;
  readonly services: readonly Service[];
  /** Takes no new calls and resolves when those that run have ended; a cancelled call cuts them. */
  shutdown(call: Call): Promise<void>;
}

/** One connection to a server. Disposing it cancels its calls. */
export interface Channel extends AsyncDisposable {
  /** Resolves when the connection has ended, whoever ended it; never rejects. */
  readonly closed: Promise<void>;
  /** Used by `createClient`: makes one call. */
  readonly connection: ClientConnection;
}

/** What a channel does for its clients. */
export interface ClientConnection {
  call(
    path: string,
    definition: MethodDefinition,
    requests: AsyncIterable<unknown>,
    call: ClientCall,
  ): AsyncIterable<unknown>;
}
