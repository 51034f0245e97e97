// Where a daemon listens: unix sockets, TCP with or without TLS, and sockets that systemd opened.
import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import { fromNodeError, KilnError } from "../../base/index.ts";

export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** Inherited file descriptors (sd_listen_fds); undefined is all of them. */
  | { readonly kind: "fd"; readonly fd?: number };

/** PEM texts. With `ca`, clients must show a certificate of it. */
export interface ListenTls {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

export interface ListenOptions {
  readonly tls?: ListenTls;
  /** Asked now and then for the certificate as it is then, so that it can be renewed while the daemon runs. */
  readonly renewTls?: () => ListenTls;
  /** Told of new certificates that could not be used; the old ones go on being used. */
  readonly onRenewal?: (failure: unknown) => void;
  /** Who owns the socket's file, instead of this process. */
  readonly uid?: number;
  readonly gid?: number;
  /** For `fd://`: how many descriptors systemd passed, the first of them 3. */
  readonly inherited?: number;
  /** Takes every connection over. */
  readonly accept: (socket: Duplex) => void;
}

/** One place where connections come in. Disposing it stops new ones and removes a socket's file. */
export interface Listening extends AsyncDisposable {
  /** As it is told in the log: a path, or host and port. */
  readonly address: string;
}

/** Connections that may wait to be taken: hundreds of clients begin at once. The kernel may allow fewer. */
const backlog = 4096;

/** `unix://PATH`, `tcp://HOST:PORT` or `fd://[N]`. Throws `FLAG_INVALID`. */
export function parseAddress(text: string): Address {
  const match = /^([a-z]+):\/\/(.*)$/.exec(text);
  const [, scheme, rest = ""] = match ?? [];
  if (scheme === "unix" && rest !== "") return { kind: "unix", path: rest };
  if (scheme === "fd") {
    if (rest === "") return { kind: "fd" };
    if (/^\d{1,4}$/.test(rest)) return { kind: "fd", fd: Number(rest) };
  }
  if (scheme === "tcp") {
    const place = /^(\[[0-9a-fA-F:.%]+\]|[^:[\]]*):(\d{1,5})$/.exec(rest);
    const port = Number(place?.[2]);
    if (place && port <= 65535)
      return { kind: "tcp", host: (place[1] ?? "").replace(/^\[|\]$/g, ""), port };
  }
  if (text !== "" && !text.includes("://"))
    throw new KilnError(
      "FLAG_INVALID",
      `address ${text} does not contain proto, you meant unix://${text} ?`,
    );
  throw new KilnError("FLAG_INVALID", `invalid address ${JSON.stringify(text)}`, {
    hint: "Addresses are unix:///run/buildkit/buildkitd.sock, tcp://127.0.0.1:1234 and fd://.",
  });
}

/** Listens at once. Throws when somebody else does there. */
export async function listen(
  address: Address,
  options: ListenOptions,
): Promise<readonly Listening[]> {
  if (address.kind === "unix") return [await listenUnix(address.path, options)];
  if (address.kind === "tcp") return [await listenTcp(address, options)];
  const { inherited = 0 } = options;
  const fds = Array.from({ length: inherited }, (_, index) => 3 + index);
  const wanted = address.fd === undefined ? fds : fds.filter((fd) => fd === address.fd);
  if (wanted.length === 0) {
    throw new KilnError("FLAG_INVALID", "fd:// was given, but no socket was passed", {
      hint: "systemd passes sockets in LISTEN_FDS: start the service through its .socket unit.",
    });
  }
  return await Promise.all(wanted.map((fd) => listenFd(fd, options)));
}

async function listenUnix(path: string, { uid, gid, accept }: ListenOptions): Promise<Listening> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
    await removeStale(path);
  } catch (error) {
    throw fromNodeError(error, `making the socket ${path}`);
  }
  const server = createServer(accept);
  // Nobody may connect between the socket's birth and its mode.
  const mask = process.umask(0o177);
  try {
    const listening = started(server, path);
    server.listen({ path, backlog });
    await listening;
  } finally {
    process.umask(mask);
  }
  try {
    if (uid !== undefined || gid !== undefined) chownSync(path, uid ?? -1, gid ?? -1);
    chmodSync(path, 0o660);
  } catch (error) {
    server.close();
    throw fromNodeError(error, `setting the owner of ${path}`);
  }
  return listeningOf(server, path);
}

/** A socket that nobody listens on is in the way; one that somebody listens on is a mistake. */
async function removeStale(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) return;
  if (!stats.isSocket()) throw new KilnError("FLAG_INVALID", `${path} exists and is not a socket`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
  if (alive) throw new KilnError("FLAG_INVALID", `${path} is in use by another daemon`);
  rmSync(path, { force: true });
}

async function listenTcp(
  { host, port }: Extract<Address, { kind: "tcp" }>,
  options: ListenOptions,
): Promise<Listening> {
  const { tls, accept } = options;
  const server = tls ? tlsServer(tls, accept, options) : createServer(accept);
  server.on("connection", (socket: Socket) => socket.setNoDelay(true));
  const listening = started(server, `${host}:${port}`);
  server.listen({ port, backlog, ...(host === "" ? {} : { host }) });
  await listening;
  const found = server.address();
  const at =
    found && typeof found === "object"
      ? `${found.family === "IPv6" ? `[${found.address}]` : found.address}:${found.port}`
      : `${host}:${port}`;
  return listeningOf(server, at);
}

/** Milliseconds between looks at the certificate's files. */
const renewalPeriod = 30_000;

function tlsServer(
  tls: ListenTls,
  accept: (socket: Duplex) => void,
  { renewTls, onRenewal }: ListenOptions,
): Server {
  const contextOf = ({ cert, key, ca }: ListenTls) => ({
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    minVersion: "TLSv1.2" as const,
  });
  const server = createTlsServer(
    {
      ...contextOf(tls),
      ...(tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
      ALPNProtocols: ["h2"],
      // Whoever says nothing must not hold a connection for ever.
      handshakeTimeout: 30_000,
    },
    accept,
  );
  if (!renewTls) return server;
  let used = JSON.stringify(tls);
  const timer = setInterval(() => {
    try {
      const renewed = renewTls();
      const text = JSON.stringify(renewed);
      if (text === used) return;
      // Without an authority everybody would be let in.
      if ((renewed.ca === undefined) !== (tls.ca === undefined)) return;
      used = text;
      server.setSecureContext(contextOf(renewed));
      onRenewal?.(undefined);
    } catch (error) {
      onRenewal?.(error);
    }
  }, renewalPeriod);
  timer.unref();
  server.once("close", () => clearInterval(timer));
  return server;
}

/** Only TCP speaks TLS: who may open a unix socket, its file says. */
async function listenFd(fd: number, options: ListenOptions): Promise<Listening> {
  const { tls, accept } = options;
  const secure = tls && tlsServer(tls, accept, options);
  let isTcp = false;
  const server = createServer((socket) => {
    if (isTcp && secure) secure.emit("connection", socket);
    else accept(socket);
  });
  const listening = started(server, `file descriptor ${fd}`);
  server.listen({ fd });
  await listening;
  isTcp = typeof server.address() === "object" && server.address() !== null;
  return listeningOf(server, `fd ${fd}`);
}

function started(server: Server, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "the address is in use" : error.message;
      const failure = new KilnError("FLAG_INVALID", `cannot listen on ${where}: ${why}`, {
        cause: error,
      });
      reject(failure);
    });
  });
}

function listeningOf(server: Server, address: string): Listening {
  return {
    address,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        // Connections end with their calls, not with the place they came in at.
        resolve();
      });
    },
  };
}
