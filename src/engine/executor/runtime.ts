// The container runtime that is installed.
import { accessSync, constants, statSync } from "node:fs";
import { basename, join } from "node:path";
import { KilnError } from "../../base/index.ts";

export interface Runtime {
  readonly name: "crun" | "runc";
  /** Absolute. */
  readonly path: string;
  /** mount(8), absolute. */
  readonly mount: string;
}

/** In order of preference: crun starts a step in a third of the time. */
const known = ["crun", "runc"] as const;

const install =
  "Install one, as root: apt-get install crun (Fedora: dnf install crun; Alpine: apk add crun)";

/**
 * The runtime called `wanted` (a name or a path), or the first one that is found in `path`, a list as in PATH. Throws
 * `RUNTIME_MISSING`.
 */
export function findRuntime(wanted: string | undefined, path: string): Runtime {
  for (const one of wanted === undefined ? known : [wanted]) {
    const found = one.includes("/") ? one : findInPath(one, path);
    const name = known.find((two) => basename(one).includes(two));
    if (name === undefined) {
      throw new KilnError("RUNTIME_MISSING", `${one} is not a runtime that Kiln knows`, {
        hint: `Choose one of: ${known.join(", ")}.`,
      });
    }
    if (found === undefined || !isExecutable(found)) continue;
    return { name, path: found, mount: findMount(path) };
  }
  throw new KilnError(
    "RUNTIME_MISSING",
    `RUN steps need a container runtime, and ${wanted ?? "neither crun nor runc"} was ${wanted ? "not " : ""}found`,
    {
      hint: install,
    },
  );
}

/** util-linux's or busybox's: no machine is without. */
function findMount(path: string): string {
  const found = findInPath("mount", path);
  if (found !== undefined) return found;
  throw new KilnError("RUNTIME_MISSING", "RUN steps need the program mount, which was not found", {
    hint: "Install util-linux.",
  });
}

/** The first executable file of that name in `path`, a list as in PATH, or in the usual places. */
export function findInPath(name: string, path: string): string | undefined {
  const places = [
    ...path.split(":").filter(Boolean),
    "/usr/sbin",
    "/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
  ];
  return places.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
