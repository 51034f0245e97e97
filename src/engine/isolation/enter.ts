// Chooses a rung of the ladder and gets this process onto it: for a user namespace by starting itself again inside.
import { KilnError, log } from "../../base/index.ts";
import { execute } from "./exec.ts";
import { rangeOwner } from "./id-ranges.ts";
import { enteredVariable, type Isolation, type Owners, readEntered } from "./isolation.ts";
import { findNamespaceCommand, type NamespaceCommand, type Obstacle } from "./namespace.ts";
import { fuseObstacle, prootObstacle, rootObstacle } from "./probe.ts";
import { writeStartNote } from "./start-note.ts";

const debug = log("isolation");

export interface EnterOptions {
  /** From `parseIsolation`; the best that works where absent. */
  readonly wanted: Isolation | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The command line of this process, from the program on, to run it again. */
  readonly command: readonly string[];
}

/** Where this process stands. */
export interface Standing {
  readonly isolation: Isolation;
  readonly owners: Owners;
  /** The user that Kiln was started by. */
  readonly uid: number;
  /** Why no better rung was taken, for the debug log. */
  readonly obstacle?: Obstacle;
}

/**
 * Puts this process onto a rung: it is there when this returns, or this does not return and the same command runs again
 * inside a user namespace, as the same process. Call it before standard input is read. Throws `ISOLATION_UNAVAILABLE` for
 * a wanted rung that does not work here.
 */
export function enterIsolation({ wanted, environment, command }: EnterOptions): Standing {
  const entered = readEntered(environment[enteredVariable]);
  if (entered !== undefined) {
    debug.debug("inside", { ...entered });
    return entered;
  }
  const uid = process.geteuid?.() ?? 0;
  const noRoot = rootObstacle();
  if (noRoot === undefined && (wanted === undefined || wanted === "root"))
    return { isolation: "root", owners: "many", uid };
  if (wanted === "root") throw unavailable(wanted, noRoot);
  const path = environment["PATH"] ?? "";
  if (wanted === "proot") {
    const obstacle = prootObstacle(path);
    if (obstacle !== undefined) throw unavailable(wanted, obstacle);
    return { isolation: "proot", owners: "one", uid };
  }
  const many = environment["KILN_OWNERS"] !== "one";
  const namespace = findNamespaceCommand(rangeOwner(), path, { many });
  if ("words" in namespace) {
    const isolation = wanted ?? "userns";
    const noFuse = isolation === "userns-fuse" ? fuseObstacle(path) : undefined;
    if (noFuse !== undefined) throw unavailable(isolation, noFuse);
    if (wanted === undefined && many) writeStartNote(namespace.words, uid, environment);
    return startInside(namespace, isolation, uid, environment, command);
  }
  if (wanted !== undefined) throw unavailable(wanted, namespace);
  // Not all builds have steps: that there is no way to run them is said when one is to be run.
  debug.debug("no user namespace", { ...namespace });
  return { isolation: "proot", owners: "one", uid, obstacle: namespace };
}

function startInside(
  { words }: NamespaceCommand,
  isolation: Isolation,
  uid: number,
  environment: EnterOptions["environment"],
  command: readonly string[],
): never {
  debug.debug("entering", { isolation, words });
  const inside = { ...environment, [enteredVariable]: `${isolation}:${uid}` };
  return execute([...words, "--", ...command], inside, namedDescriptors(command));
}

/** Descriptors that arguments name, as shells write `<(command)`. */
function namedDescriptors(command: readonly string[]): readonly number[] {
  return command.flatMap((word) =>
    [...word.matchAll(/\/(?:dev|proc\/self)\/fd\/(\d+)/g)].map(([, number]) => Number(number)),
  );
}

function unavailable(isolation: Isolation, obstacle: Obstacle | undefined): KilnError {
  return new KilnError(
    "ISOLATION_UNAVAILABLE",
    `the isolation ${isolation} does not work here: ${obstacle?.reason ?? "unknown"}`,
    {
      hint:
        obstacle?.hint ??
        "Leave --isolation and KILN_ISOLATION away to get the best that works here.",
    },
  );
}
