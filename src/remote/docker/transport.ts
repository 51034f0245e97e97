// Byte streams to a docker engine: a socket, TCP with or without TLS, or docker's own relay over ssh.
import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { type Call, KilnError, throwIfAborted } from "../../base/index.ts";
import type { DockerEndpoint } from "./contexts.ts";
import { openProgramStream } from "./program-stream.ts";

/** Opens one connection. Throws `BUILDER_UNREACHABLE` in docker's words, `FLAG_INVALID` for addresses that are none. */
export async function connectDocker(
  endpoint: DockerEndpoint,
  env: Readonly<Record<string, string | undefined>>,
  call: Call,
): Promise<Duplex> {
  throwIfAborted(call);
  const { host, tls } = endpoint;
  if (host.startsWith("ssh://")) return openProgramStream(sshRelay(host), env, call);
  try {
    if (host.startsWith("unix://"))
      return await opened(connectTcp({ path: host.slice(7) }), "connect", call);
    const { hostname, port } = tcpAddress(host);
    if (!tls) return await opened(connectTcp({ host: hostname, port }), "connect", call);
    const options = {
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      rejectUnauthorized: !tls.skipVerify,
    };
    const servername = /^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname };
    const socket = connectTls({ host: hostname, port, ...servername, ...options });
    return await opened(socket, "secureConnect", call);
  } catch (cause) {
    if (call.signal.aborted) throw call.signal.reason;
    if (cause instanceof KilnError) throw cause;
    throw cannotConnect(host, cause);
  }
}

function cannotConnect(host: string, cause: unknown): KilnError {
  const denied = (cause as NodeJS.ErrnoException).code === "EACCES";
  const message = denied
    ? `permission denied while trying to connect to the Docker daemon socket at ${host}`
    : `Cannot connect to the Docker daemon at ${host}. Is the docker daemon running?`;
  return new KilnError("BUILDER_UNREACHABLE", message, {
    cause,
    hint: denied
      ? "Join the group that owns the socket (usually docker), or build without docker: kiln build --builder embedded."
      : "Start docker, set DOCKER_HOST, or build without docker: kiln build --builder embedded.",
  });
}

/** `docker system dial-stdio` on the other machine, as docker's own command does it. */
function sshRelay(host: string): readonly string[] {
  return [...sshCommand(host), "docker", "system", "dial-stdio"];
}

/** `ssh` with the options that an `ssh://user@host:port` asks for, up to the remote command. Throws `FLAG_INVALID`. */
export function sshCommand(address: string): readonly string[] {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  // A host that begins with a dash would be an option of ssh.
  if (!url?.hostname || url.hostname.startsWith("-") || url.password !== "") {
    throw new KilnError("FLAG_INVALID", `invalid address ${JSON.stringify(address)}`, {
      hint: "Write ssh://user@host or ssh://user@host:port; passwords are ssh's own business.",
    });
  }
  return [
    "ssh",
    "-o",
    "ConnectTimeout=30",
    ...(url.username === "" ? [] : ["-l", decodeURIComponent(url.username)]),
    ...(url.port === "" ? [] : ["-p", url.port]),
    "--",
    url.hostname.replace(/^\[|\]$/g, ""),
  ];
}

function tcpAddress(host: string): { readonly hostname: string; readonly port: number } {
  const url = URL.canParse(host) ? new URL(host) : undefined;
  const known =
    url && (url.protocol === "tcp:" || url.protocol === "http:" || url.protocol === "https:");
  if (!url || !known || url.hostname === "") {
    throw new KilnError("FLAG_INVALID", `unable to parse docker host ${JSON.stringify(host)}`, {
      hint: "Addresses are unix:///PATH, tcp://HOST:PORT and ssh://USER@HOST.",
    });
  }
  return { hostname: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) || 2375 };
}

function opened<S extends Duplex>(socket: S, event: string, call: Call): Promise<S> {
  return new Promise((resolve, reject) => {
    const stop = () => void socket.destroy(call.signal.reason);
    call.signal.addEventListener("abort", stop, { once: true });
    const settle = () => call.signal.removeEventListener("abort", stop);
    socket.once("error", (error) => {
      settle();
      reject(error);
    });
    socket.once(event, () => {
      settle();
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}
