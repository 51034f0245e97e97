import { expect, it } from "vitest";
import { namedIds } from "./command-words.ts";
import { notificationSize, ownerAnswer, readOwnerCall } from "./owner-call.ts";

const x86 = 3221225534;
const i386 = 1073741827;
const arm64 = 3221225655;

/** A struct seccomp_notif, little-endian as the machines that tests run on. */
function notification(arch: number, number: number, ...args: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(notificationSize);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 7n, true);
  view.setUint32(8, 4711, true);
  view.setInt32(16, number, true);
  view.setUint32(20, arch, true);
  for (const [index, value] of args.entries()) view.setBigUint64(32 + 8 * index, value, true);
  return bytes;
}

const minusOne = 0xffffffffn;

it("reads who calls, and what a path is to belong to", () => {
  expect(readOwnerCall(notification(x86, 92, 0x1000n, 33n, 44n))).toEqual({
    id: 7n,
    pid: 4711,
    change: {
      target: {
        type: "path",
        directory: undefined,
        address: 0x1000n,
        follow: true,
        mayBeEmpty: false,
      },
      owner: { uid: 33, gid: 44 },
    },
  });
});

it.each([
  ["lchown does not follow links", notification(x86, 94, 1n, 0n, 0n), { follow: false }],
  ["nor does 32-bit lchown", notification(i386, 198, 1n, 0n, 0n), { follow: false }],
  ["fchownat starts at a directory", notification(arm64, 54, 5n, 1n, 0n, 0n, 0n), { directory: 5 }],
  [
    "or at the working directory",
    notification(x86, 260, BigInt.asUintN(32, -100n), 1n, 0n, 0n, 0x100n),
    { directory: undefined, follow: false },
  ],
  [
    "and may mean its descriptor",
    notification(x86, 260, 5n, 1n, 0n, 0n, 0x1000n),
    { mayBeEmpty: true },
  ],
])("%s", (_, bytes, target) => {
  expect(readOwnerCall(bytes).change?.target).toMatchObject(target);
});

it("takes what is left out for unchanged, in 32 bits as in 64", () => {
  const { change } = readOwnerCall(notification(x86, 93, 3n, minusOne, 0xffffffffffffffffn));
  expect(change).toEqual({
    target: { type: "open", fd: 3 },
    owner: { uid: undefined, gid: undefined },
  });
});

it("makes nothing of calls of other names and processors", () => {
  expect(readOwnerCall(notification(x86, 1)).change).toBeUndefined();
  expect(readOwnerCall(notification(12345, 92)).change).toBeUndefined();
});

it("answers with the call's name and the error, negative", () => {
  const view = new DataView(ownerAnswer(7n, 2).buffer);
  expect([view.getBigUint64(0, true), view.getBigInt64(8, true), view.getInt32(16, true)]).toEqual([
    7n,
    0n,
    -2,
  ]);
});

it.each([
  ["chown 1000 /srv", true, false],
  ["/bin/busybox chown -R app:app /srv", true, true],
  ["/usr/bin/qemu-aarch64-static /bin/chown -R :www /srv", false, true],
  ["chgrp -R www /srv", false, true],
])("of %s it knows what is left open", (line, uid, gid) => {
  expect(namedIds(line.split(" "))).toEqual({ uid, gid });
});

it("other commands leave nothing open", () => {
  expect(namedIds(["install", "-o", "app", "/a", "/b"])).toBeUndefined();
});
