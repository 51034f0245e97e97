// The agent's side of the SSH agent protocol (draft-miller-ssh-agent): offering keys and signing, and nothing else.
import type { SshKey } from "./keys.ts";
import { SshReader, sshByte, sshJoin, sshNumber, sshString } from "./wire.ts";

export const agentMessages = {
  failure: 5,
  requestIdentities: 11,
  identitiesAnswer: 12,
  signRequest: 13,
  signResponse: 14,
  extension: 27,
} as const;

/** Longest message of OpenSSH's agent; longer ones are not believed. */
export const maxAgentMessage: number = 256 * 1024;

const failure = sshByte(agentMessages.failure);

/** Whether a borrower may send it: what lists keys, signs, or binds a session. Nobody adds, removes or locks keys. */
export function isHarmless(message: Uint8Array): boolean {
  const { requestIdentities, signRequest, extension } = agentMessages;
  return [requestIdentities, signRequest, extension].some((one) => one === message[0]);
}

/** What an agent says to a message that it does not understand or does not obey. */
export function refuseMessage(): Uint8Array {
  return failure;
}

/** The answer of an agent that has these keys. Both messages without their length. Never throws. */
export function answerMessage(message: Uint8Array, keys: readonly SshKey[]): Uint8Array {
  try {
    const reader = new SshReader(message);
    switch (reader.byte()) {
      case agentMessages.requestIdentities: {
        const list = keys.flatMap(({ blob, comment }) => [sshString(blob), sshString(comment)]);
        return sshJoin([sshByte(agentMessages.identitiesAnswer), sshNumber(keys.length), ...list]);
      }
      case agentMessages.signRequest: {
        const [blob, data] = [reader.bytes(), reader.bytes()];
        const flags = reader.number();
        const key = keys.find((one) => isSame(one.blob, blob));
        if (key === undefined) return failure;
        return sshJoin([sshByte(agentMessages.signResponse), sshString(key.sign(data, flags))]);
      }
      default:
        return failure;
    }
  } catch {
    return failure;
  }
}

/** The comments of the keys in an answer to a request for identities; undefined for any other message. */
export function readIdentities(message: Uint8Array): readonly string[] | undefined {
  const reader = new SshReader(message);
  if (reader.byte() !== agentMessages.identitiesAnswer) return undefined;
  const count = reader.number();
  const comments: string[] = [];
  for (let index = 0; index < count; index++) {
    reader.bytes();
    comments.push(reader.text());
  }
  return comments;
}

/** Cuts a stream into messages: gives those that are whole in `data`, and the rest. Throws a `RangeError` for one that is too long. */
export function splitMessages(data: Uint8Array): {
  readonly messages: readonly Uint8Array[];
  readonly rest: Uint8Array;
} {
  const messages: Uint8Array[] = [];
  let at = 0;
  while (data.length - at >= 4) {
    const length = new DataView(data.buffer, data.byteOffset + at).getUint32(0);
    if (length === 0 || length > maxAgentMessage)
      throw new RangeError(`a message of ${length} bytes`);
    if (data.length - at - 4 < length) break;
    messages.push(data.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { messages, rest: data.subarray(at) };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
