// Addresses of BuildKit daemons: which there are, and how a connection to each is opened.
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { type Call, KilnError, throwIfAborted } from "../../base/index.ts";
import { dockerEngine, execStream, openProgramStream, sshCommand } from "../docker/index.ts";
import type { DriverWorld } from "./driver.ts";

/** Files of mutual TLS; paths are absolute. */
export interface RemoteTls {
  readonly serverName?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export const remoteSchemes = [
  "tcp",
  "unix",
  "ssh",
  "docker-container",
  "kube-pod",
  "podman-container",
  "nerdctl-container",
  "npipe",
] as const;

const relay = ["buildctl", "dial-stdio"];

/** Throws `BUILDER_INVALID` for what is no address of a daemon. */
export function checkRemoteAddress(address: string): string {
  const scheme = /^([a-z0-9+.-]*):\/\//i.exec(address)?.[1] ?? "";
  if (remoteSchemes.some((known) => known === scheme)) return scheme;
  throw new KilnError("BUILDER_INVALID", `unrecognized url scheme ${scheme}`, {
    hint: `Write unix:///PATH, tcp://HOST:PORT, or one of ${remoteSchemes
      .slice(2, 7)
      .map((one) => `${one}://`)
      .join(", ")}.`,
  });
}

/** Opens one connection to the daemon at `address`. Throws `BUILDER_UNREACHABLE`. */
export async function connectRemote(
  address: string,
  tls: RemoteTls | undefined,
  world: DriverWorld,
  call: Call,
): Promise<Duplex> {
  throwIfAborted(call);
  const scheme = checkRemoteAddress(address);
  switch (scheme) {
    case "unix":
      return await socketOf(
        () => connectTcp({ path: address.slice("unix://".length) }),
        "connect",
        address,
        call,
      );
    case "tcp":
      return await connectHost(address, tls, call);
    case "ssh":
      return await openProgramStream(
        [...sshCommand(address), ...sshRelay(address)],
        world.env,
        call,
      );
    case "docker-container":
      return await inContainer(address, world, call);
    case "kube-pod":
      return await openProgramStream(podCommand(address), world.env, call);
    case "podman-container":
    case "nerdctl-container":
      return await openProgramStream(containerCommand(address, scheme), world.env, call);
    default:
      throw new KilnError(
        "UNSUPPORTED",
        `${address}: named pipes are Windows', which Kiln does not run on`,
      );
  }
}

async function connectHost(
  address: string,
  tls: RemoteTls | undefined,
  call: Call,
): Promise<Duplex> {
  const { hostname, port } = partsOf(address);
  const host = hostname.replace(/^\[|\]$/g, "");
  const number = Number(port) || 1234;
  if (!tls)
    return await socketOf(
      () => connectTcp({ host, port: number, noDelay: true }),
      "connect",
      address,
      call,
    );
  const pem = (file: string | undefined) => (file === undefined ? undefined : readPem(file));
  const [ca, cert, key] = [pem(tls.ca), pem(tls.cert), pem(tls.key)];
  const name = tls.serverName ?? host;
  const options = {
    host,
    port: number,
    ALPNProtocols: ["h2"],
    ...(/^[\d.]+$|:/.test(name) ? {} : { servername: name }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  return await socketOf(() => connectTls(options), "secureConnect", address, call);
}

function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new KilnError(
      "BUILDER_INVALID",
      `could not read certificate: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** `ssh://user@host:port/run/user/1000/buildkit.sock`: a path names the daemon's socket on that machine. */
function sshRelay(address: string): readonly string[] {
  const { pathname } = partsOf(address);
  if (pathname === "" || pathname === "/") return relay;
  // ssh hands its words to the other side's shell.
  const socket = `unix://${decodeURIComponent(pathname)}`.replaceAll("'", `'\\''`);
  return ["buildctl", "--addr", `'${socket}'`, "dial-stdio"];
}

async function inContainer(address: string, world: DriverWorld, call: Call): Promise<Duplex> {
  const { name, query } = targetOf(address);
  const context = query.get("context") ?? world.contexts.current;
  const endpoint = world.contexts.endpoint(context);
  if (!endpoint)
    throw new KilnError("BUILDER_INVALID", `${address}: there is no docker context ${context}`);
  return await execStream(dockerEngine(endpoint, world.env), name, relay, call);
}

function containerCommand(address: string, scheme: string): readonly string[] {
  const { name, query } = targetOf(address);
  const program = scheme.slice(0, scheme.indexOf("-"));
  const namespace = query.get("namespace");
  const where = program === "nerdctl" && namespace ? ["--namespace", namespace] : [];
  return [program, ...where, "exec", "-i", name, ...relay];
}

/** What carries a connection into a pod: kubectl knows every way to sign in to a cluster. */
export function podCommand(address: string): readonly string[] {
  const { name, query } = targetOf(address);
  const flag = (key: string) => (query.get(key) ? [`--${key}=${query.get(key)}`] : []);
  return [
    "kubectl",
    ...flag("context"),
    ...flag("namespace"),
    "exec",
    ...flag("container"),
    "-i",
    name,
    "--",
    ...relay,
  ];
}

/** A container's or pod's name and what the address says of it. Names that could be options of a program are refused. */
function targetOf(address: string): { readonly name: string; readonly query: URLSearchParams } {
  const [, rest = "", search = ""] = /^[^:]*:\/\/([^?]*)\??(.*)$/.exec(address) ?? [];
  const name = rest.replace(/\/$/, "");
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new KilnError("BUILDER_INVALID", `${address} does not name a container or pod`, {
      hint: "Write the name after ://, such as docker-container://buildkitd.",
    });
  }
  return { name, query: new URLSearchParams(search) };
}

function partsOf(address: string): URL {
  if (URL.canParse(address)) return new URL(address);
  throw new KilnError(
    "BUILDER_INVALID",
    `${JSON.stringify(address)} is no address of a BuildKit daemon`,
    {
      hint: "Write tcp://HOST:PORT.",
    },
  );
}

async function socketOf<S extends Duplex>(
  open: () => S,
  event: string,
  address: string,
  call: Call,
): Promise<S> {
  const socket = open();
  const stop = () => void socket.destroy(call.signal.reason);
  call.signal.addEventListener("abort", stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(event, resolve);
      socket.once("error", reject);
    });
    return socket;
  } catch (cause) {
    throwIfAborted(call);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KilnError(
      "BUILDER_UNREACHABLE",
      `cannot connect to the builder at ${address}: ${why}`,
      {
        cause,
        hint: "See that the daemon runs there and that the address is right.",
      },
    );
  } finally {
    call.signal.removeEventListener("abort", stop);
  }
}
