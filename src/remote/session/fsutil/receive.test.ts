// Files that come together are finished one by one, and asked for all at once.
import { expect, test } from "vitest";
import type { FileEntry } from "../../../api/index.ts";
import { uncancelled as call } from "../../../base/index.ts";
import { decodePacket, encodeData, encodeFin, endOfList } from "./packet.ts";
import { receiveFiles } from "./receive.ts";
import type { Packets } from "./send.ts";
import { encodeStat } from "./stat.ts";

const count = 2000;
const entryOf = (index: number): FileEntry => ({
  path: `f${String(index).padStart(5, "0")}`,
  mode: 0o100644,
  uid: 0,
  gid: 0,
  size: 1,
  mtime: 0n,
});

test("whoever reads has finished a file before the next one comes, also within one batch", async () => {
  const indexes = Array.from({ length: count }, (_, index) => index);
  let requests = 0;
  async function* sender(outgoing: Packets): Packets {
    yield [...indexes.map((index) => encodeStat(entryOf(index))), endOfList];
    let said = false;
    for await (const batch of outgoing) {
      for (const packet of batch) {
        const { type } = decodePacket(packet);
        if (type === "request") requests++;
        else if (type === "fin") return yield [encodeFin()];
      }
      if (requests < count || said) continue;
      said = true;
      yield indexes.flatMap((index) => [
        encodeData(index, Uint8Array.of(index & 0xff)),
        encodeData(index, new Uint8Array()),
      ]);
    }
  }
  await using files = receiveFiles((outgoing) => sender(outgoing), call);
  let open = 0;
  let most = 0;
  const reads: Promise<void>[] = [];
  const read = async (index: number) => {
    const take = () => {
      open++;
      most = Math.max(most, open);
    };
    await files.read(index, take, call);
    open--;
  };
  let listed = 0;
  for await (const batch of files.entries) for (const _ of batch) reads.push(read(listed++));
  await Promise.all(reads);
  expect([listed, requests]).toEqual([count, count]);
  expect(most).toBeLessThan(4);
});
