// How proot is told to show a step its file system: a pure function of what the step asks.
import { initPath } from "../programs/init-program.ts";

export interface ProotView {
  /** Absolute path of proot. */
  readonly proot: string;
  /** setpriv(1), absolute, where there is one: ends proot, and with it the step, when Kiln ends. */
  readonly setpriv: string | undefined;
  readonly root: string;
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number };
  /** Host paths by what they are seen as, parents first. */
  readonly binds: readonly (readonly [source: string, target: string])[];
  /** Host path of the first process. */
  readonly init: string;
  /** Path of the emulator, for programs of another processor. */
  readonly emulator: string | undefined;
  /** Path of the program as seen inside, and its arguments from its name on. */
  readonly program: string;
  readonly args: readonly string[];
}

/** What a step sees of the machine's devices. */
const devices = ["full", "null", "random", "tty", "urandom", "zero"].map((name) => `/dev/${name}`);

/** Where proot shows the whole machine to emulated steps. */
export const hostView = "/host-rootfs";

/**
 * What comes first in the environment of a program that is started emulated. proot puts directories of the machine into the
 * first LD_LIBRARY_PATH that it finds, for the first process; this one is hidden from the step by that process.
 */
export const libraryDecoy = "LD_LIBRARY_PATH=";

/** proot takes SIGQUIT to mean that everything it runs is to be killed. */
export const killSignal = "SIGQUIT";

export function prootCommand(view: ProotView): readonly string[] {
  const { uid, gid } = view.user;
  const own = [...devices, "/proc"].map((path) => [path, path] as const);
  const binds = [...own, ...view.binds, ...(view.emulator ? [] : [[view.init, initPath] as const])];
  return [
    ...(view.setpriv === undefined ? [] : [view.setpriv, "--pdeathsig", "QUIT"]),
    view.proot,
    "-v",
    "-1",
    "-i",
    `${uid}:${gid}`,
    "-r",
    view.root,
    "-w",
    view.cwd,
    ...binds.flatMap(([source, target]) => [
      "-b",
      source === target ? source : `${source}:${target}!`,
    ]),
    ...(view.emulator === undefined ? [] : ["-q", view.emulator]),
    // Only what lies in that view is not given to the emulator.
    view.emulator === undefined ? initPath : `${hostView}${view.init}`,
    view.program,
    ...view.args,
  ];
}

/** proot separates the two paths of a bind with a colon and knows no way to write one. */
export function isBindable(path: string): boolean {
  return !path.includes(":") && !path.endsWith("!");
}
