// What a builder on another machine is opened with, and what it can do besides building.
import type { Duplex } from "node:stream";
import type { Builder } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import type { control } from "../../formats/proto/index.ts";
import type { Channel, Metadata } from "../grpc/index.ts";

/** Opens a byte stream to the daemon, on which HTTP/2 is spoken. Called again when a connection has ended. */
export type Connect = (call: Call) => Promise<Duplex>;

export interface RemoteBuilderOptions {
  /** The builder's name, for messages. */
  readonly name: string;
  /**
   * How a session is begun where not by Control.Session: docker's `POST /session`. The metadata go along as headers; on
   * the stream the daemon is the client.
   */
  readonly connectSession?: (metadata: Metadata, call: Call) => Promise<Duplex>;
  /** The last word on a build's request, for fields of the wire that a BuildRequest has not. */
  readonly amend?: (message: control.SolveRequest) => control.SolveRequest;
  /** Milliseconds between pings of a connection; none where absent. */
  readonly keepAlive?: number;
}

/** One worker of a daemon, as it describes itself. */
export interface RemoteWorker {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `linux/amd64`, native first. */
  readonly platforms: readonly string[];
}

/** A builder behind a connection. Disposing it ends the connection, and with it what still runs. */
export interface RemoteBuilder extends Builder {
  /** The connection, opened at first need: for what goes beyond building (history, gateway). */
  channel(call: Call): Promise<Channel>;
  workers(call: Call): Promise<readonly RemoteWorker[]>;
}
