// What a driver is: it knows how to start one node of a builder, how to reach it, and how to take it away again.
import type { Duplex } from "node:stream";
import type { Call } from "../../base/index.ts";
import type { DockerContexts } from "../docker/index.ts";
import type { NodeRecord } from "../store/index.ts";

/** As the reference names them. */
export type NodeStatus = "inactive" | "starting" | "running" | "stopping" | "stopped";

/** What `rm` spares. */
export interface RemoveOptions {
  readonly keepState: boolean;
  readonly keepDaemon: boolean;
}

/** Says one line about what is being done, such as `pulling image`. */
export type Say = (line: string) => void;

/** One node under its driver. Holds nothing open. */
export interface Driver {
  readonly name: string;
  readonly node: NodeRecord;
  /** Images are loaded into docker when no output was asked for. */
  readonly defaultLoad: boolean;
  /** Present for the builder that runs in the asking process: its state directory, absolute. */
  readonly inProcess?: { readonly root: string };
  /** What is known without starting anything. Throws when what runs the node cannot be asked. */
  status(call: Call): Promise<NodeStatus>;
  /** Starts the node where it does not run, and resolves when it answers. */
  boot(say: Say, call: Call): Promise<void>;
  /** One connection to the node's BuildKit API; the caller destroys it. */
  connect(call: Call): Promise<Duplex>;
  /**
   * How a build's session is begun where not by the API's own method: a stream on which the daemon is the client. The
   * headers say who we are and what we serve.
   */
  connectSession?(headers: ReadonlyMap<string, readonly string[]>, call: Call): Promise<Duplex>;
  stop(call: Call): Promise<void>;
  remove(options: RemoveOptions, call: Call): Promise<void>;
}

/** What drivers take from their surroundings. */
export interface DriverWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly contexts: DockerContexts;
  /** State directory of the builder in this process. */
  readonly root: string;
  /** For images that a driver pulls: the X-Registry-Auth header of docker's API for a registry host. */
  registryAuth?(host: string, call: Call): Promise<string | undefined>;
}

/** A kind of driver. */
export interface DriverKind {
  readonly name: string;
  /** False for `docker`: each context is one builder, and no other can be made. */
  readonly creatable: boolean;
  /** A daemon's flags and configuration mean something. */
  readonly configurable: boolean;
  /** Throws `BUILDER_INVALID` for options that the driver does not know. */
  open(node: NodeRecord, world: DriverWorld): Driver;
}
