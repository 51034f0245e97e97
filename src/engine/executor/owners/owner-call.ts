// What a step asks for when it gives a file away: the system calls of the chown family, as seccomp tells of them.
import { endianness } from "node:os";

const little = endianness() === "LE";

/** What a file is to belong to; undefined stays as it is. */
export interface WantedOwner {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** Which file: an open one, or a path below a directory, whose last link is followed or not. */
export type OwnerTarget =
  | { readonly type: "open"; readonly fd: number }
  | {
      readonly type: "path";
      /** Undefined: the working directory. */
      readonly directory: number | undefined;
      /** Where in the process's memory the path begins. */
      readonly address: bigint;
      readonly follow: boolean;
      /** Whether an empty path means the directory's descriptor itself. */
      readonly mayBeEmpty: boolean;
    };

/** A call that waits for an answer. */
export interface OwnerCall {
  /** The kernel's name for it. */
  readonly id: bigint;
  /** The thread that waits, as this process numbers it. */
  readonly pid: number;
  /** Undefined for a call that is none of the family. */
  readonly change: { readonly target: OwnerTarget; readonly owner: WantedOwner } | undefined;
}

/** Bytes of struct seccomp_notif. */
export const notificationSize = 80;

type Kind = "chown" | "lchown" | "fchown" | "fchownat";

/** Numbers by AUDIT_ARCH_*; those with 16 bits for an id come first where there are two. */
const numbers: Readonly<Record<number, Readonly<Record<number, Kind>>>> = {
  // x86_64, i386
  3221225534: { 92: "chown", 93: "fchown", 94: "lchown", 260: "fchownat" },
  1073741827: {
    ...{ 16: "lchown", 95: "fchown", 182: "chown" },
    ...{ 198: "lchown", 207: "fchown", 212: "chown", 298: "fchownat" },
  },
  // aarch64, arm
  3221225655: { 54: "fchownat", 55: "fchown" },
  1073741864: {
    ...{ 16: "lchown", 95: "fchown", 182: "chown" },
    ...{ 198: "lchown", 207: "fchown", 212: "chown", 325: "fchownat" },
  },
  // riscv64, loongarch64
  3221225715: { 54: "fchownat", 55: "fchown" },
  3221225730: { 54: "fchownat", 55: "fchown" },
  // ppc64le, s390x
  3221225493: { 16: "lchown", 95: "fchown", 181: "chown", 289: "fchownat" },
  2147483670: { 198: "lchown", 207: "fchown", 212: "chown", 291: "fchownat" },
};

const x32 = 0x40000000;
const noFollow = 0x100;
const emptyPath = 0x1000;

/** Reads a struct seccomp_notif (seccomp_unotify(2)). */
export function readOwnerCall(bytes: Uint8Array): OwnerCall {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = view.getInt32(16, little) & ~x32;
  const kind = numbers[view.getUint32(20, little)]?.[number];
  const argument = (index: number) => view.getBigUint64(32 + 8 * index, little);
  return {
    id: view.getBigUint64(0, little),
    pid: view.getUint32(8, little),
    change: kind === undefined ? undefined : readChange(kind, argument),
  };
}

function readChange(kind: Kind, argument: (index: number) => bigint): OwnerCall["change"] {
  const int = (index: number) => Number(BigInt.asIntN(32, argument(index)));
  switch (kind) {
    case "fchown":
      return { target: { type: "open", fd: int(0) }, owner: ownerOf(argument, 1) };
    case "fchownat": {
      const flags = int(4);
      return {
        target: {
          type: "path",
          directory: int(0) === -100 ? undefined : int(0),
          address: argument(1),
          follow: (flags & noFollow) === 0,
          mayBeEmpty: (flags & emptyPath) !== 0,
        },
        owner: ownerOf(argument, 2),
      };
    }
    default:
      return {
        target: {
          type: "path",
          directory: undefined,
          address: argument(0),
          follow: kind === "chown",
          mayBeEmpty: false,
        },
        owner: ownerOf(argument, 1),
      };
  }
}

function ownerOf(argument: (index: number) => bigint, first: number): WantedOwner {
  const [uid, gid] = [first, first + 1].map((index) => {
    const id = Number(BigInt.asUintN(32, argument(index)));
    return id === 0xffffffff ? undefined : id;
  });
  return { uid, gid };
}

/** A struct seccomp_notif_resp: the call has done its work, or failed with `errno` (positive). */
export function ownerAnswer(id: bigint, errno: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, id, little);
  view.setInt32(16, -errno, little);
  return bytes;
}
