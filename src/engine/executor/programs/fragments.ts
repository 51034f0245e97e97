// Machine code that several of our programs are made of, by machine (GOARCH name). All wait for one child.
import type { StaticProgram } from "./static-program.ts";

/** What all programs for one machine have in common. */
export interface Fragments {
  /** What an executable for this machine says of it. */
  readonly kind: Omit<StaticProgram, "code">;
  /** Reaps children until it is the one whose number was kept behind the fork; its status is on top of the stack. */
  readonly waitForChild: string;
  /** Ends with the exit code that the status on top of the stack stands for: 128 + n after signal n. */
  readonly exitAsChild: string;
}

export const fragments: Readonly<Record<"amd64" | "arm64", Fragments>> = {
  amd64: {
    kind: { bits: 64, machine: 62, flags: 0 },
    // wait4(-1, &status, 0, NULL) until it gives ebp
    waitForChild: "b83d000000 48c7c7ffffffff 4889e6 31d2 4531d2 0f05 39e8 75e6",
    // 128 + signal, or the exit code; exit_group
    exitAsChild: "8b3c24 89f8 83e07f 7408 8db880000000 eb09 c1ef08 81e7ff000000 b8e7000000 0f05",
  },
  arm64: {
    kind: { bits: 64, machine: 183, flags: 0 },
    // wait4(-1, &status, 0, NULL) until it gives w22
    waitForChild: "00008092 e1030091 020080d2 030080d2 882080d2 010000d4 1f00166b 21ffff54",
    // 128 + signal, or the exit code; exit_group
    exitAsChild: "e10340b9 20180072 60000054 00000211 02000014 203c0853 c80b80d2 010000d4",
  },
};

/** One byte as hexadecimal digits. */
export function hex8(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** Four bytes, the lowest first, as hexadecimal digits. */
export function hex32(value: number): string {
  return [0, 8, 16, 24].map((shift) => hex8((value >>> shift) & 0xff)).join("");
}
