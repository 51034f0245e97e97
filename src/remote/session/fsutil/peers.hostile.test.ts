// Senders and receivers of files that do not keep to the protocol: refused with a word, and nobody waits for ever.
import { expect, test } from "vitest";
import type { FileEntry, SharedFiles } from "../../../api/index.ts";
import { abortReason, uncancelled as call, concatBytes } from "../../../base/index.ts";
import type { OutgoingMessage } from "../../grpc/index.ts";
import {
  decodePacket,
  encodeData,
  encodeError,
  encodeFin,
  encodeRequest,
  endOfList,
  type Packet,
} from "./packet.ts";
import { receiveFiles } from "./receive.ts";
import { sendFiles } from "./send.ts";
import { encodeStat } from "./stat.ts";

const file = (path: string): FileEntry => ({
  path,
  mode: 0o100644,
  uid: 0,
  gid: 0,
  size: 3,
  mtime: 0n,
});

const wholeOf = (message: OutgoingMessage): Uint8Array =>
  "parts" in message ? concatBytes(message.parts) : message;

/** What a receiver makes of a sender that says just this, and then stays. */
function receivedFrom(packets: readonly Uint8Array[], stays = true): SharedFiles {
  return receiveFiles(async function* (_outgoing, { signal }) {
    yield packets;
    if (stays)
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
  }, call);
}

async function list(files: SharedFiles): Promise<FileEntry[]> {
  const all: FileEntry[] = [];
  for await (const batch of files.entries) all.push(...batch);
  return all;
}

const senders: Readonly<Record<string, readonly Uint8Array[]>> = {
  "asks for files itself": [encodeRequest(0)],
  "sends contents that nobody asked for": [encodeStat(file("a")), encodeData(0, Uint8Array.of(1))],
  "ends before the list does": [encodeStat(file("a")), encodeFin()],
  "goes on after the end of the list": [endOfList, encodeStat(file("a"))],
  "sends garbage": [Uint8Array.of(0xff, 0xff, 0xff)],
  "says that it failed": [encodeStat(file("a")), encodeError("disk on fire")],
  "goes on after its last word": [endOfList, encodeFin(), endOfList],
};

for (const [what, packets] of Object.entries(senders)) {
  test(`a sender that ${what} is refused`, async () => {
    await using files = receivedFrom(packets);
    await expect(list(files).then(() => files.read(0, () => {}, call))).rejects.toMatchObject({
      code: expect.stringMatching(/REQUEST_INVALID|BUILDER_FAILED/),
    });
  });
}

test("a sender that breaks off fails the list and all reads", async () => {
  const files = receivedFrom([encodeStat(file("a"))], false);
  const read = files.read(0, () => {}, call);
  read.catch(() => {});
  await expect(list(files)).rejects.toThrow(/broke off/);
  await expect(read).rejects.toThrow(/broke off/);
  await files[Symbol.asyncDispose]();
});

test("a taker that fails stops the transfer", async () => {
  const files = receivedFrom([encodeStat(file("a")), endOfList, encodeData(0, Uint8Array.of(1))]);
  const read = files.read(
    0,
    () => {
      throw new Error("no room");
    },
    call,
  );
  await expect(read).rejects.toThrow(/no room/);
  await files[Symbol.asyncDispose]();
});

function lent(entries: readonly FileEntry[], read: SharedFiles["read"]): SharedFiles {
  return {
    entries: (async function* () {
      yield entries;
    })(),
    read,
    async [Symbol.asyncDispose]() {},
  };
}

/** What a sender answers to a receiver that says just this, until one of them ends. */
async function answersTo(
  packets: readonly Uint8Array[],
  read: SharedFiles["read"] = async () => {},
  stays = true,
): Promise<Packet[]> {
  const incoming = (async function* () {
    yield packets;
    if (stays) await new Promise(() => {});
  })();
  const found: Packet[] = [];
  for await (const batch of sendFiles(lent([file("a")], read), incoming, call))
    for (const bytes of batch) found.push(decodePacket(wholeOf(bytes)));
  return found;
}

const receivers: Readonly<Record<string, readonly Uint8Array[]>> = {
  "sends entries": [encodeStat(file("x"))],
  "sends contents": [encodeData(0, Uint8Array.of(1))],
  "sends garbage": [Uint8Array.of(0x08, 0x63)],
  "says that it failed": [encodeError("disk full")],
};
for (const [what, packets] of Object.entries(receivers)) {
  test(`a receiver that ${what} ends the sending`, async () => {
    await expect(answersTo(packets)).rejects.toThrow();
  });
}

test("a receiver that vanishes ends the sending", async () => {
  await expect(answersTo([encodeRequest(0)], undefined, false)).rejects.toThrow(/broke off/);
});

test("a file that cannot be read fails the sending", async () => {
  const read = async () => {
    throw new Error("no such file");
  };
  await expect(answersTo([encodeRequest(99)], read)).rejects.toThrow(/no such file/);
});

test("the last word comes after all contents that were asked for", async () => {
  const read: SharedFiles["read"] = async (_index, take) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await take(Uint8Array.of(1, 2, 3));
  };
  const found = await answersTo([encodeRequest(0), encodeFin()], read);
  const types = found.map(({ type }) => type);
  expect(types.filter((type) => type !== "stat")).toEqual(["data", "data", "fin"]);
});

test("a cancelled call ends a sending that waits", async () => {
  const controller = new AbortController();
  const never = (async function* () {
    await new Promise(() => {});
    yield [] as readonly Uint8Array[];
  })();
  const sending = sendFiles(
    lent([file("a")], async () => {}),
    never,
    controller,
  );
  const drained = (async () => {
    for await (const _ of sending);
  })();
  controller.abort(abortReason("enough"));
  await expect(drained).rejects.toThrow(/enough/);
});
