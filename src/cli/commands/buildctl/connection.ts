// One connection of a buildctl command to its daemon, made before anything is asked.
import type { Duplex } from "node:stream";
import { AsyncStack, type Call, delay, isKilnError, KilnError } from "../../../base/index.ts";
import { control } from "../../../formats/proto/index.ts";
import {
  openRemoteBuilder,
  type RemoteBuilder,
  type RemoteBuilderOptions,
} from "../../../remote/client/index.ts";
import { type Channel, type Client, createClient } from "../../../remote/grpc/index.ts";
import type { RunWorld } from "../command.ts";
import { addressOf, type Dial, dialOf, embeddedAddress } from "./address.ts";
import type { BuildctlValues } from "./flags.ts";

/** A daemon that answers. Disposing it ends the connection, and the daemon where it is the engine in this process. */
export interface Daemon extends AsyncDisposable {
  readonly builder: RemoteBuilder;
  readonly channel: Channel;
  readonly control: Client<typeof control.ControlDefinition>;
}

export interface OpenOptions {
  readonly amend?: RemoteBuilderOptions["amend"];
}

/** Connects within --timeout; with --wait, tries until then. Throws `BUILDER_UNREACHABLE` in the reference's words. */
export async function openDaemon(
  values: BuildctlValues,
  world: RunWorld,
  { amend }: OpenOptions = {},
): Promise<Daemon> {
  if (!["json", "text"].includes(values["log-format"]))
    throw new KilnError(
      "FLAG_INVALID",
      `unsupported log type ${JSON.stringify(values["log-format"])}`,
    );
  await using opening = new AsyncStack();
  const address = addressOf(values, world);
  const dial = await openDial(address, values, opening, world);
  const first = await patiently(
    values,
    world.call,
    async (call) => await named(address, () => dial.connect(call), world.call),
  );
  let spare: Duplex | undefined = first;
  const connect = async (call: Call): Promise<Duplex> => {
    const socket = spare ?? (await dial.connect(call));
    spare = undefined;
    return socket;
  };
  const { connectSession } = dial;
  const builder = openRemoteBuilder(connect, {
    name: address,
    ...(connectSession
      ? { connectSession: (headers, call: Call) => connectSession.call(dial, headers, call) }
      : {}),
    ...(amend ? { amend } : {}),
  });
  opening.use(builder);
  const channel = await builder.channel(world.call);
  const client = createClient(control.ControlDefinition, channel);
  const owned = opening.move();
  return {
    builder,
    channel,
    control: client,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** How connections are made; the engine in this process is opened where it is meant. */
export async function openDial(
  address: string,
  values: BuildctlValues,
  owned: AsyncStack,
  world: RunWorld,
): Promise<Dial> {
  if (address !== embeddedAddress) return await dialOf(address, values, world);
  const { openEmbeddedDaemon } = await import("./embedded-daemon.ts");
  return { connect: await openEmbeddedDaemon(owned, world) };
}

const pause = 200;

/** Once, or with --wait until it succeeds, within --timeout; 0 waits for ever. */
async function patiently<T>(
  { timeout, wait }: BuildctlValues,
  call: Call,
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const limit = timeout > 0 ? [AbortSignal.timeout(timeout * 1000)] : [];
  const limited = { signal: AbortSignal.any([call.signal, ...limit]) };
  for (;;) {
    try {
      return await work(limited);
    } catch (error) {
      call.signal.throwIfAborted();
      const unreachable = isKilnError(error) && error.code === "BUILDER_UNREACHABLE";
      if (!wait || !unreachable || limited.signal.aborted) throw error;
      await delay(pause, call);
    }
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "connect: no such file or directory",
  ECONNREFUSED: "connect: connection refused",
  EACCES: "connect: permission denied",
  ENOTFOUND: "no such host",
  EHOSTUNREACH: "connect: no route to host",
  ETIMEDOUT: "connect: connection timed out",
};

/** What could not be reached, in the reference's words, and what there is to be done about it. */
async function named(address: string, work: () => Promise<Duplex>, call: Call): Promise<Duplex> {
  try {
    return await work();
  } catch (error) {
    call.signal.throwIfAborted();
    if (isKilnError(error) && error.code !== "BUILDER_UNREACHABLE") throw error;
    const message = `Unavailable: connection error: desc = "transport: Error while dialing: ${dialing(address)}: ${reasonOf(error)}"`;
    throw new KilnError("BUILDER_UNREACHABLE", message, {
      cause: error,
      hint: "Start a daemon with 'kiln serve', name another with --addr, or build without one: --addr embedded://",
    });
  }
}

function dialing(address: string): string {
  if (address.startsWith("unix://")) return `dial unix ${address.slice("unix://".length)}`;
  if (address.startsWith("tcp://")) return `dial tcp ${address.slice("tcp://".length)}`;
  return address;
}

function reasonOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const known = reasons[(at as NodeJS.ErrnoException).code ?? ""];
    if (known !== undefined) return known;
    if (at.name === "TimeoutError") return "context deadline exceeded";
    if (at.cause === undefined) return at.message;
  }
  return String(error);
}
