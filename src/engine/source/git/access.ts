// What git is given to reach a remote: credentials of the session for http, its agent and the host's keys for ssh.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import type { LentAgent, Session } from "../../../api/index.ts";
import { AsyncStack, type Call, KilnError } from "../../../base/index.ts";
import type { GitRequest } from "./attributes.ts";

/** Settings and variables for git, as long as it is not disposed. */
export interface RemoteAccess extends AsyncDisposable {
  /** With credentials in them: never shown. */
  readonly settings: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

/** Throws `GIT_FAILED` where the agent that is asked for was not forwarded. */
export async function openAccess(
  request: GitRequest,
  session: Session,
  call: Call,
): Promise<RemoteAccess> {
  if (/^https?:/.test(request.remote))
    return httpAccess(await authorization(request, session, call));
  if (/^git:/.test(request.remote)) return httpAccess({});
  return await sshAccess(request, session, call);
}

function httpAccess(settings: Readonly<Record<string, string>>): RemoteAccess {
  return { settings, env: {}, [Symbol.asyncDispose]: async () => {} };
}

/** Git settings that carry the session's credentials for this remote. */
async function authorization(
  request: GitRequest,
  session: Session,
  call: Call,
): Promise<Record<string, string>> {
  const { host, origin } = new URL(request.remote);
  const secret = async (id: string) => {
    const data = id === "" ? undefined : await session.secret(id, call);
    return data && new TextDecoder().decode(data).trim();
  };
  // BuildKit: those of the host go before those of all hosts.
  const { headerSecret, tokenSecret } = request;
  for (const suffix of [`.${host}`, ""]) {
    const header = await secret(headerSecret && headerSecret + suffix);
    const token = header ? undefined : await secret(tokenSecret && tokenSecret + suffix);
    const value = header || (token && `basic ${btoa(`x-access-token:${token}`)}`);
    // Bound to the remote's own host: a redirect elsewhere does not see it.
    if (value) return { [`http.${origin}/.extraheader`]: `Authorization: ${value}` };
  }
  return {};
}

/**
 * The session's agent behind a socket that only this user reaches, and the keys that the host must have. Where nobody
 * said which, those of the first connection count until the end of the operation, as with the reference's key scan.
 */
async function sshAccess(
  { remote, knownHosts, sshAgent }: GitRequest,
  session: Session,
  call: Call,
): Promise<RemoteAccess> {
  const agent = sshAgent === "" ? undefined : await session.ssh(sshAgent, call);
  if (sshAgent !== "" && agent === undefined) {
    throw new KilnError(
      "GIT_FAILED",
      `${remote}: no SSH agent ${JSON.stringify(sshAgent)} is forwarded`,
      {
        hint: `Forward one: --ssh ${sshAgent} with a running agent, or --ssh ${sshAgent}=KEYFILE.`,
      },
    );
  }
  await using opening = new AsyncStack();
  const directory = mkdtempSync(join(tmpdir(), "kiln-ssh-"));
  opening.defer(() => rmSync(directory, { recursive: true, force: true }));
  const hosts = join(directory, "known_hosts");
  writeFileSync(hosts, knownHosts === "" ? "" : `${knownHosts.trim()}\n`, { mode: 0o600 });
  const socket = join(directory, "agent");
  if (agent !== undefined) opening.use(await serveAgent(agent, socket));
  const owned = opening.move();
  return {
    settings: {},
    env: {
      ...(agent === undefined ? {} : { SSH_AUTH_SOCK: socket }),
      GIT_SSH_COMMAND: sshCommand(hosts, knownHosts !== ""),
      GIT_SSH_VARIANT: "ssh",
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Neither this machine's settings nor this user's own keys have a say, and nobody is asked anything. */
function sshCommand(hosts: string, hostsAreGiven: boolean): string {
  const options = [
    `UserKnownHostsFile=${hosts}`,
    "GlobalKnownHostsFile=/dev/null",
    `StrictHostKeyChecking=${hostsAreGiven ? "yes" : "accept-new"}`,
    "IdentityFile=none",
    "BatchMode=yes",
    "ConnectTimeout=30",
    "LogLevel=ERROR",
  ];
  return ["ssh", "-F", "/dev/null", ...options.flatMap((option) => ["-o", option])].join(" ");
}

/** Connects whoever comes to the socket with the agent. */
async function serveAgent(agent: LentAgent, path: string): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    const stream = agent.connect();
    // Either side may go at any time: a conversation that breaks off is over.
    pipeline(socket, stream, socket, () => {
      open.delete(socket);
      stream.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
