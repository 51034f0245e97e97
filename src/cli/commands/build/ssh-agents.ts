// SSH agents to lend: the user's own, behind a guard that passes on nothing but listing and signing, or keys from files.
import { readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import type { LentAgent } from "../../../api/index.ts";
import { type Call, KilnError, throwIfAborted } from "../../../base/index.ts";
import {
  agentMessages,
  answerMessage,
  isHarmless,
  readIdentities,
  readPrivateKey,
  refuseMessage,
  splitMessages,
  sshString,
} from "../../../formats/ssh/index.ts";
import type { SshSpec } from "../../flags/index.ts";

/** A key file is text of a few kilobytes. */
const maxKeySize = 100 * 1024;

interface AgentOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The agents by id. Throws `SSH_FAILED` or `FLAG_INVALID` for what is not there or cannot be read. */
export function openAgents(
  specs: readonly SshSpec[],
  options: AgentOptions,
): ReadonlyMap<string, LentAgent> {
  const agents = new Map<string, LentAgent>();
  for (const spec of specs) {
    if (agents.has(spec.id))
      throw new KilnError("FLAG_INVALID", `--ssh ${spec.id} was given twice`);
    agents.set(spec.id, openAgent(spec, options));
  }
  return agents;
}

function openAgent({ id, paths = [] }: SshSpec, { env, cwd }: AgentOptions): LentAgent {
  const named = paths.filter((path) => path !== "");
  const own = env["SSH_AUTH_SOCK"];
  if (named.length === 0 && !own) {
    throw new KilnError("SSH_FAILED", `--ssh ${id} needs an agent, and SSH_AUTH_SOCK is not set`, {
      hint: `Start one with "eval $(ssh-agent) && ssh-add", or pass --ssh ${id}=KEYFILE.`,
    });
  }
  const places = named.length === 0 ? [own ?? ""] : named;
  const absolute = places.map((path) => resolve(cwd, path));
  const sockets = absolute.filter(isSocket);
  const [socket] = sockets;
  if (socket === undefined) return keyAgent(absolute.map(readKey));
  if (absolute.length === 1) return { connect: () => serve(guardedSocket(socket)) };
  throw new KilnError("FLAG_INVALID", `--ssh ${id}: an agent's socket must be the only one`, {
    hint: "Give the agent and the keys different ids.",
  });
}

/** Any Unix socket under an agent's name, its bytes passed on as they are: `--ssh ID=SOCKET,raw=true` of buildctl. */
export function openRawSocket(path: string): LentAgent {
  if (!isSocket(path)) throw new KilnError("SSH_FAILED", `${path} is no socket`);
  return { connect: () => connect(path) };
}

function isSocket(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined)
    throw new KilnError("SSH_FAILED", `there is no agent or key at ${path}`, {
      hint: "Check the path after --ssh ID=, or SSH_AUTH_SOCK.",
    });
  return stats.isSocket();
}

function readKey(path: string): ReturnType<typeof readPrivateKey> {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxKeySize)
    throw new KilnError("SSH_FAILED", `${path} is too large for a private key`);
  return readPrivateKey(readFileSync(path, "utf8"), path);
}

function keyAgent(keys: readonly ReturnType<typeof readPrivateKey>[]): LentAgent {
  return { connect: () => serve(async (message) => answerMessage(message, keys)) };
}

/** One conversation; messages are answered in their order. */
function serve(answer: Answer): Duplex {
  const [near, far] = duplexPair();
  void converse(far, answer)
    .catch(() => {})
    .finally(() => {
      answer.end?.();
      far.destroy();
    });
  return near;
}

interface Answer {
  (message: Uint8Array): Promise<Uint8Array>;
  end?(): void;
}

async function converse(stream: Duplex, answer: Answer): Promise<void> {
  let left: Uint8Array = new Uint8Array();
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    const { messages, rest } = splitMessages(joined(left, chunk));
    left = rest;
    for (const message of messages) stream.write(sshString(await answer(message)));
  }
  stream.end();
}

/** Passes harmless messages on to an agent, one at a time. */
function guardedSocket(path: string): Answer {
  const socket = connect(path);
  let waiting: ((message: Uint8Array | undefined) => void) | undefined;
  let left: Uint8Array = new Uint8Array();
  const give = (message: Uint8Array | undefined) => {
    waiting?.(message);
    waiting = undefined;
  };
  socket.on("error", () => give(undefined));
  socket.on("close", () => give(undefined));
  socket.on("data", (chunk: Uint8Array) => {
    try {
      const { messages, rest } = splitMessages(joined(left, chunk));
      left = rest;
      for (const message of messages) give(message);
    } catch {
      socket.destroy();
    }
  });
  const answer: Answer = async (message) => {
    if (!isHarmless(message) || socket.destroyed) return refuseMessage();
    const answered = new Promise<Uint8Array | undefined>((done) => {
      waiting = done;
    });
    socket.write(sshString(message));
    return (await answered) ?? refuseMessage();
  };
  answer.end = () => void socket.destroy();
  return answer;
}

function joined(left: Uint8Array, chunk: Uint8Array): Uint8Array {
  if (left.length === 0) return chunk;
  const all = new Uint8Array(left.length + chunk.length);
  all.set(left);
  all.set(chunk, left.length);
  return all;
}

const patience = 2000;

/**
 * Asks each agent for its keys before the build. Throws `SSH_FAILED` for one that does not answer; gives the comments of the
 * keys by id.
 */
export async function checkAgents(
  agents: ReadonlyMap<string, LentAgent>,
  call: Call,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const offered = new Map<string, readonly string[]>();
  for (const [id, agent] of agents) {
    throwIfAborted(call);
    const keys = await askForKeys(agent);
    if (keys === undefined) {
      throw new KilnError("SSH_FAILED", `the SSH agent ${JSON.stringify(id)} does not answer`, {
        hint: 'Check with "ssh-add -l" that it runs and that SSH_AUTH_SOCK is its socket.',
      });
    }
    offered.set(id, keys);
  }
  return offered;
}

async function askForKeys(agent: LentAgent): Promise<readonly string[] | undefined> {
  const stream = agent.connect();
  const timer = setTimeout(() => stream.destroy(), patience);
  try {
    stream.write(sshString(Uint8Array.of(agentMessages.requestIdentities)));
    let left: Uint8Array = new Uint8Array();
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      left = joined(left, chunk);
      const [message] = splitMessages(left).messages;
      if (message !== undefined) return readIdentities(message);
    }
    return undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}
