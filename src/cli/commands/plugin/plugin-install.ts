// kiln plugin install: makes `docker kiln` and, where wished, `docker buildx` and `docker build` start Kiln.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fromNodeError, KilnError } from "../../../base/index.ts";
import { dockerDirectory } from "../../config/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";

export const pluginInstall: Command = defineCommand({
  spec: {
    path: ["plugin", "install"],
    args: { min: 0, max: 0 },
    summary: "Make Kiln a plugin of docker's command",
    about:
      "Puts a link into docker's directory of plugins, so that 'docker kiln build' starts Kiln. With --buildx, Kiln also stands in for docker buildx: 'docker buildx' and 'docker build' start it. The plugin that was there is kept and comes back with 'kiln plugin uninstall'.",
    examples: [
      { what: "docker kiln build", run: "kiln plugin install" },
      { what: "docker build and docker buildx, too", run: "kiln plugin install --buildx" },
    ],
    flags: {
      buildx: { type: "bool", usage: "Stand in for docker buildx as well" },
    },
  },
  async run({ values }, _args, world) {
    const program = programOf(world);
    for (const name of ["docker-kiln", ...(values.buildx ? ["docker-buildx"] : [])]) {
      const place = install(name, program, world);
      world.stdout.write(`${place}\n`);
    }
    return 0;
  },
});

/** Where docker looks for a user's plugins. */
export function pluginPlace(name: string, world: RunWorld): string {
  return join(dockerDirectory(world.env), "cli-plugins", name);
}

/** Where a plugin waits that Kiln stands in for: outside of the directory that docker searches. */
export function keptPlace(name: string, world: RunWorld): string {
  return join(dockerDirectory(world.env), "cli-plugins-before-kiln", name);
}

/** True for a link that leads to `program`. */
export function leadsTo(place: string, program: string): boolean {
  try {
    return lstatSync(place).isSymbolicLink() && realpathSync(place) === realpathSync(program);
  } catch {
    return false;
  }
}

/** The file that starts Kiln. Throws `PROGRAM_MISSING` where it cannot be told. */
export function programOf(world: RunWorld): string {
  const program = world.env["KILN_PROGRAM"];
  if (program && existsSync(program)) return realpathSync(program);
  throw new KilnError("PROGRAM_MISSING", "cannot tell which file starts Kiln", {
    hint: "Call it by its own name: bin/kiln plugin install.",
  });
}

function install(name: string, program: string, world: RunWorld): string {
  const place = pluginPlace(name, world);
  const kept = keptPlace(name, world);
  try {
    mkdirSync(dirname(place), { recursive: true });
    if (leadsTo(place, program)) return place;
    if (isThere(place)) {
      mkdirSync(dirname(kept), { recursive: true });
      if (!isThere(kept)) renameSync(place, kept);
      else rmSync(place);
    }
    symlinkSync(program, place);
    return place;
  } catch (error) {
    throw fromNodeError(error, `cannot install the plugin ${place}`);
  }
}

/** Also for links that lead nowhere. */
export function isThere(place: string): boolean {
  try {
    lstatSync(place);
    return true;
  } catch {
    return false;
  }
}
