// Which builders there are: those of the store, docker's contexts, and the engine in this process; and which is meant.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import {
  authHeader,
  contextKey,
  type DockerContexts,
  readDockerContexts,
} from "../../../remote/docker/index.ts";
import { type DriverWorld, embeddedName, embeddedNode } from "../../../remote/driver/index.ts";
import {
  type BuilderRecord,
  type BuilderStore,
  type NodeRecord,
  noBuilder,
  openBuilderStore,
} from "../../../remote/store/index.ts";
import { createDockerCredentials, dockerDirectory, readConfig } from "../../config/index.ts";
import { type RunWorld, standsInForBuildx } from "../command.ts";
import { rootOf } from "../state-place.ts";
import { storeDirectory } from "./store-place.ts";

/** A builder and where it is known from. */
export interface KnownBuilder extends BuilderRecord {
  readonly origin: "store" | "context" | "embedded";
}

/** All builders of one user, and the choice among them. */
export interface KnownBuilders {
  readonly store: BuilderStore;
  readonly contexts: DockerContexts;
  readonly drivers: DriverWorld;
  /** Under which the chosen builder is noted. */
  readonly key: string;
  /** Of the builder that is used when none is named; it exists. */
  readonly current: string;
  /** Throws `BUILDER_NOT_FOUND`. */
  find(name: string): KnownBuilder;
  /** The builder that `name`, else --builder, else BUILDX_BUILDER, else the choice, means. Throws `BUILDER_NOT_FOUND`. */
  chosen(name?: string): KnownBuilder;
  /** Those of the store by name, then the others by name. Damaged ones of the store are left out and told by `damaged`. */
  all(): readonly KnownBuilder[];
}

/** Reads where things are; builders are read when they are asked for. */
export async function openKnownBuilders(world: RunWorld): Promise<KnownBuilders> {
  const directory = dockerDirectory(world.env);
  const contexts = readDockerContexts({ env: world.env, directory });
  const store = openBuilderStore(storeDirectory(world.env));
  const { config: file } = world.globals;
  const config = await readConfig(file === "" ? undefined : resolve(world.cwd, file), world.env);
  const root = rootOf(world, config.root);
  const drivers = { env: world.env, contexts, root, registryAuth: registryAuth(world) };
  const key = contextKey(contexts);
  const find = (name: string): KnownBuilder => {
    const stored = store.read(name);
    if (stored) return { ...stored, origin: "store" };
    const own = ownBuilder(name, drivers);
    if (own) return own;
    throw noBuilder(name);
  };
  const current = currentName(store, key, drivers, world);
  return {
    store,
    contexts,
    drivers,
    key,
    current,
    find,
    chosen: (name) => find(name || world.globals.builder || world.env["BUILDX_BUILDER"] || current),
    all: () => {
      const stored = store
        .names()
        .map((name) => find(name))
        .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      const names = ownNames(contexts, current, world);
      return [...stored, ...names.flatMap((name) => ownBuilder(name, drivers) ?? [])];
    },
  };
}

/** Docker's API wants the credentials of a pull in a header. */
function registryAuth(world: RunWorld): NonNullable<DriverWorld["registryAuth"]> {
  const docker = createDockerCredentials(world.env);
  return async (host, call) => {
    const found = await docker.credentials(host, call);
    return found && authHeader(found, host);
  };
}

function currentName(
  store: BuilderStore,
  key: string,
  { contexts }: DriverWorld,
  world: RunWorld,
): string {
  const chosen = store.current(key);
  if (chosen !== "" && store.read(chosen)) return chosen;
  return standsInForBuildx(world) && mayAnswer(contexts, contexts.current)
    ? contexts.current
    : embeddedName;
}

/** False for a socket of this machine that is not there: no engine runs. */
export function mayAnswer(contexts: DockerContexts, name: string): boolean {
  const host = contexts.endpoint(name)?.host ?? name;
  return !host.startsWith("unix://") || existsSync(host.slice("unix://".length));
}

function ownNames(contexts: DockerContexts, current: string, world: RunWorld): readonly string[] {
  const named = contexts
    .names()
    .filter(
      (name) =>
        name !== "default" || Boolean(world.env["DOCKER_HOST"]) || mayAnswer(contexts, name),
    );
  const embedded = !standsInForBuildx(world) || current === embeddedName ? [embeddedName] : [];
  return [...new Set([...named, ...embedded])].sort();
}

function ownBuilder(name: string, world: DriverWorld): KnownBuilder | undefined {
  if (name === embeddedName) {
    return {
      name,
      driver: "remote",
      nodes: [embeddedNode(world)],
      dynamic: false,
      origin: "embedded",
    };
  }
  if (!world.contexts.names().includes(name)) return undefined;
  const node: NodeRecord = {
    name,
    endpoint: name,
    platforms: [],
    driverOpts: {},
    flags: [],
    files: {},
  };
  return { name, driver: "docker", nodes: [node], dynamic: false, origin: "context" };
}
