// What gives the root of a step its flags back: crun mounts it anew without those that it had.
import type { ProcessSpec } from "./executor.ts";
import type { Hook } from "./oci-spec.ts";
import type { MountFlag } from "./programs/remount-program.ts";
import type { StepPrograms } from "./programs/step-programs.ts";

/** The flags of a step's root. */
export function rootFlags(
  { security }: Pick<ProcessSpec, "security">,
  readonly: boolean,
): readonly MountFlag[] {
  return [
    ...(security === "sandbox" ? (["nodev"] as const) : []),
    ...(readonly ? (["ro"] as const) : []),
  ];
}

/** Adds `flags` to the mount at `root`; undefined where there are none. `mount`: mount(8), absolute. */
export function rootHook(
  root: string,
  flags: readonly MountFlag[],
  { programs, mount }: { readonly programs: StepPrograms; readonly mount: string },
): Hook | undefined {
  if (flags.length === 0) return undefined;
  const own = programs.remount(flags);
  if (own !== undefined) return { path: own, args: ["remount", root] };
  // A hook must take the state that the runtime writes to it: one that ends before fails the step, now and then. The shell
  // would read it byte by byte, and the filter in it has thousands.
  const remount = [mount, "-o", ["remount", "bind", ...flags].join(","), root];
  return { path: "/bin/sh", args: ["sh", "-c", 'cat >/dev/null; exec "$@"', "sh", ...remount] };
}
