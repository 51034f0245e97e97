// The runtime's hook that gives a mounted directory its flags back.
import { fragments, hex8, hex32 } from "./fragments.ts";
import { machineCode, type StaticProgram, staticProgram } from "./static-program.ts";

/** mount(2). */
const mountFlags = { ro: 1, nodev: 4 } as const;

export type MountFlag = keyof typeof mountFlags;

/**
 * Started as `REMOUNT DIRECTORY` it reads its input to the end (a runtime writes the container's state to a hook and takes
 * it amiss when nobody reads), and adds flags to what is mounted at DIRECTORY. Its exit code is errno's where that fails.
 */
const programs: Readonly<
  Record<string, Omit<StaticProgram, "code"> & { readonly code: (flags: number) => string }>
> = {
  amd64: {
    ...fragments.amd64.kind,
    code: (flags) =>
      [
        // r12: the directory; room for 4096 bytes
        "4c8b642410 4881ec00100000",
        // read(0, buffer, 4096) while there is something
        "31c0 31ff 4889e6 ba00100000 0f05 85c0 7fee",
        // statfs(directory, buffer)
        "b889000000 4c89e7 4889e6 0f05 85c0 7521",
        // its own nosuid, nodev, noexec and ro, and what is to be added
        `448b542450 4183e20f 4181ca${hex8(flags & 0xff)}${hex8(flags >> 8)}0000`,
        // mount(NULL, directory, NULL, flags, NULL)
        "b8a5000000 31ff 4c89e6 31d2 4531c0 0f05",
        // exit_group(-result)
        "f7d8 89c7 b8e7000000 0f05",
      ].join(" "),
  },
  arm64: {
    ...fragments.arm64.kind,
    code: (flags) =>
      [
        // x19: the directory; room for 4096 bytes
        "f30b40f9 ff0740d1",
        // read(0, buffer, 4096) while there is something
        "000080d2 e1030091 020082d2 e80780d2 010000d4 1f0000f1 4cffff54",
        // statfs(directory, buffer)
        "e00313aa e1030091 680580d2 010000d4 60010035",
        // its own nosuid, nodev, noexec and ro, and what is to be added
        `e35340b9 630c0012 ${hex32(0x52800004 + (flags << 5))} 6300042a`,
        // mount(NULL, directory, NULL, flags, NULL)
        "000080d2 e10313aa 020080d2 040080d2 080580d2 010000d4",
        // exit_group(-result)
        "e003004b c80b80d2 010000d4",
      ].join(" "),
  },
};

/** MS_REMOUNT | MS_BIND: of this mount alone, not of its file system. */
const remountBind = 0x1020;

/** The executable for a machine (GOARCH name) that adds these flags; undefined for those that have none here. */
export function remountProgram(
  machine: string,
  flags: readonly MountFlag[],
): Uint8Array | undefined {
  const program = programs[machine];
  if (program === undefined) return undefined;
  const { code, ...rest } = program;
  const all = flags.reduce((sum, flag) => sum | mountFlags[flag], remountBind);
  return staticProgram({ ...rest, code: machineCode(code(all)) });
}
