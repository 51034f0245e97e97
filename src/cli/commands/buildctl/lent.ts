// What buildctl build lends to the daemon besides directories: agents, sockets, secrets, credentials.
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { LentAgent } from "../../../api/index.ts";
import { KilnError, parseBool } from "../../../base/index.ts";
import { createDockerCredentials } from "../../config/index.ts";
import { openAgents, openRawSocket } from "../build/ssh-agents.ts";
import type { World } from "../command.ts";

/** `--ssh ID[=SOCKET[,raw=BOOL]|KEY[,KEY]]`. Throws for what is not there. */
export function lendAgents(texts: readonly string[], world: World): ReadonlyMap<string, LentAgent> {
  const agents = new Map<string, LentAgent>();
  for (const text of texts) {
    const [id = "", ...rest] = text.split("=");
    const value = rest.join("=");
    const fields = value === "" ? [] : value.split(",");
    const raw =
      fields
        .filter((field) => field.startsWith("raw="))
        .map(rawOf)
        .at(-1) ?? false;
    const paths = fields.filter((field) => !field.startsWith("raw="));
    if (agents.has(id)) throw new KilnError("FLAG_INVALID", `--ssh ${id} was given twice`);
    const [path] = paths;
    if (!raw) for (const [name, one] of openAgents([{ id, paths }], world)) agents.set(name, one);
    else if (path !== undefined && paths.length === 1)
      agents.set(id, openRawSocket(resolve(world.cwd, path)));
    else
      throw new KilnError(
        "FLAG_INVALID",
        `raw mode must supply exactly one socket path for ${JSON.stringify(id)}`,
      );
  }
  return agents;
}

function rawOf(field: string): boolean {
  const value = field.slice("raw=".length);
  const read = parseBool(value);
  if (read === undefined)
    throw new KilnError("FLAG_INVALID", `invalid value for 'raw': ${JSON.stringify(value)}`);
  return read;
}

/** Docker's credentials; `--docker-config` names its config.json or the directory that this is in. */
export function credentialsOf(
  path: string,
  world: World,
): ReturnType<typeof createDockerCredentials> {
  if (path === "") return createDockerCredentials(world.env);
  const place = resolve(world.cwd, path);
  const stats = statSync(place, { throwIfNoEntry: false });
  if (!stats) throw new KilnError("FLAG_INVALID", `--docker-config: there is no ${path}`);
  const directory = stats.isDirectory() ? place : dirname(place);
  return createDockerCredentials({ ...world.env, DOCKER_CONFIG: directory });
}
