// Driver `docker-container`: a BuildKit daemon in a privileged container of a docker engine, one per node.
import {
  type Call,
  delay,
  isRecord,
  KilnError,
  readAll,
  throwIfAborted,
} from "../../base/index.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../formats/archive/index.ts";
import { parseReference } from "../../formats/oci/index.ts";
import { type DockerEngine, dockerEngine, execStream, isMissing } from "../docker/index.ts";
import type { NodeRecord } from "../store/index.ts";
import { type ContainerOptions, containerDocument, containerOptions } from "./container-options.ts";
import type { DriverKind, DriverWorld, NodeStatus, RemoveOptions, Say } from "./driver.ts";

/** How often a daemon that has just been started is asked whether it answers. */
const bootTries = 15;

export const dockerContainerKind: DriverKind = {
  name: "docker-container",
  creatable: true,
  configurable: true,
  open(node, world) {
    const options = containerOptions(node);
    const endpoint = world.contexts.endpoint(node.endpoint) ?? { host: node.endpoint };
    const engine = dockerEngine(endpoint, world.env);
    const place: Place = {
      node,
      world,
      options,
      engine,
      container: `buildx_buildkit_${node.name}`,
    };
    return {
      name: "docker-container",
      node,
      defaultLoad: options.defaultLoad,
      status: (call) => statusOf(place, call),
      boot: (say, call) => boot(place, say, call),
      connect: (call) => execStream(engine, place.container, ["buildctl", "dial-stdio"], call),
      async stop(call) {
        if ((await statusOf(place, call)) !== "running") return;
        await engine.done({ method: "POST", path: `/containers/${place.container}/stop` }, call);
      },
      remove: (how, call) => remove(place, how, call),
    };
  },
};

interface Place {
  readonly node: NodeRecord;
  readonly world: DriverWorld;
  readonly options: ContainerOptions;
  readonly engine: DockerEngine;
  readonly container: string;
}

async function statusOf({ engine, container }: Place, call: Call): Promise<NodeStatus> {
  try {
    const document = await engine.json(
      { method: "GET", path: `/containers/${container}/json` },
      call,
    );
    const state = isRecord(document) ? document["State"] : undefined;
    return isRecord(state) && state["Running"] === true ? "running" : "stopped";
  } catch (error) {
    if (isMissing(error)) return "inactive";
    throw error;
  }
}

async function boot(place: Place, say: Say, call: Call): Promise<void> {
  const status = await statusOf(place, call);
  if (status === "inactive") {
    await pull(place, say, call);
    say(`creating container ${place.container}`);
    await create(place, call);
  }
  if (status !== "running")
    await place.engine.done({ method: "POST", path: `/containers/${place.container}/start` }, call);
  await answers(place, call);
}

async function pull({ engine, options, world }: Place, say: Say, call: Call): Promise<void> {
  const reference = parseReference(options.image);
  say(`pulling image ${options.image}`);
  const auth = await world.registryAuth?.(reference.domain, call);
  try {
    const answer = await engine.send(
      {
        method: "POST",
        path: "/images/create",
        query: {
          fromImage: `${reference.domain}/${reference.path}`,
          tag: reference.digest ?? reference.tag ?? "latest",
        },
        ...(auth === undefined ? {} : { headers: { "x-registry-auth": auth } }),
      },
      call,
    );
    await checkPull(answer);
    say(`pulling image ${options.image} done`);
  } catch (error) {
    throwIfAborted(call);
    // An image that is there already serves when its registry cannot be reached.
    const path = `/images/${encodeURIComponent(options.image)}/json`;
    const there = await engine.json({ method: "GET", path }, call).catch(() => undefined);
    if (there === undefined) throw error;
    say(`pulling failed, using local image ${options.image}`);
  }
}

const maxPullLog = 64 * 1024 * 1024;

/** Docker answers 200 and tells of failures in the stream of progress. */
async function checkPull(answer: AsyncIterable<Uint8Array>): Promise<void> {
  const text = new TextDecoder().decode(await readAll(answer, maxPullLog, "docker's progress"));
  for (const line of text.split("\n")) {
    if (!line.includes('"error"')) continue;
    const document: unknown = JSON.parse(line);
    if (isRecord(document) && typeof document["error"] === "string")
      throw new KilnError("DOCKER_FAILED", `Error response from daemon: ${document["error"]}`);
  }
}

async function create(place: Place, call: Call): Promise<void> {
  const { engine, node, options, container } = place;
  const info = await engine.json({ method: "GET", path: "/info" }, call);
  const security = isRecord(info) ? info["SecurityOptions"] : undefined;
  const host = {
    cgroupDriver: isRecord(info) ? String(info["CgroupDriver"] ?? "") : "",
    userns: Array.isArray(security) && security.some((one) => String(one).includes("name=userns")),
  };
  const json = containerDocument(node, options, host, `${container}_state`);
  await engine.done(
    { method: "POST", path: "/containers/create", query: { name: container }, json },
    call,
  );
  if (Object.keys(node.files).length > 0) {
    await engine.done(
      {
        method: "PUT",
        path: `/containers/${container}/archive`,
        query: { path: "/" },
        headers: { "content-type": "application/x-tar" },
        body: configArchive(node.files),
      },
      call,
    );
  }
}

/** The node's files under /etc/buildkit, as docker unpacks them into a container. */
async function* configArchive(files: NodeRecord["files"]): AsyncIterable<Uint8Array> {
  const entry = (type: "directory" | "file", path: string, size: number) =>
    encodeTarHeader({
      type,
      path,
      size,
      mode: type === "file" ? 0o600 : 0o700,
      uid: 0,
      gid: 0,
      mtime: 0n,
    });
  yield entry("directory", "etc/buildkit", 0);
  for (const directory of directoriesOf(Object.keys(files)))
    yield entry("directory", `etc/buildkit/${directory}`, 0);
  for (const [name, data] of Object.entries(files)) {
    yield entry("file", `etc/buildkit/${name}`, data.length);
    yield data;
    yield new Uint8Array(tarPadding(data.length));
  }
  yield tarEnd;
}

/** All directories above `paths`, parents first. Throws for paths that would leave the configuration's directory. */
function directoriesOf(paths: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === ".."))
      throw new KilnError(
        "CONFIG_INVALID",
        `the builder's configuration file has a path that is none: ${path}`,
      );
    for (let length = 1; length < parts.length; length++)
      found.add(parts.slice(0, length).join("/"));
  }
  return [...found].sort();
}

/** Waits until the daemon lists its workers; its log is part of the failure when it never does. */
async function answers({ engine, container }: Place, call: Call): Promise<void> {
  let failure: unknown;
  for (let attempt = 1; attempt <= bootTries; attempt++) {
    try {
      await runInside(engine, container, call);
      return;
    } catch (error) {
      throwIfAborted(call);
      failure = error;
    }
    await delay(Math.min(attempt * 120, 1000), call);
  }
  throw new KilnError("BUILDER_FAILED", `the daemon in container ${container} does not answer`, {
    cause: failure,
    hint: `See what it says: docker logs ${container}`,
  });
}

async function runInside(engine: DockerEngine, container: string, call: Call): Promise<void> {
  const command = ["buildctl", "debug", "workers"];
  const made = await engine.json(
    {
      method: "POST",
      path: `/containers/${container}/exec`,
      json: { AttachStdout: true, AttachStderr: true, Cmd: command },
    },
    call,
  );
  const id = isRecord(made) ? String(made["Id"]) : "";
  const raw = await engine.send(
    { method: "POST", path: `/exec/${id}/start`, json: { Detach: false, Tty: true } },
    call,
  );
  const said = new TextDecoder().decode(await readAll(raw, maxPullLog, "the command's output"));
  const state = await engine.json({ method: "GET", path: `/exec/${id}/json` }, call);
  if (isRecord(state) && state["ExitCode"] === 0) return;
  throw new KilnError(
    "BUILDER_UNREACHABLE",
    `${command.join(" ")} failed in ${container}: ${said.trim()}`,
  );
}

async function remove(
  { engine, container }: Place,
  { keepDaemon, keepState }: RemoveOptions,
  call: Call,
): Promise<void> {
  if (!keepDaemon) {
    const query = { force: "1", v: "1" };
    await missingIsFine(
      engine.done({ method: "DELETE", path: `/containers/${container}`, query }, call),
    );
    if (!keepState) {
      const path = `/volumes/${container}_state`;
      await missingIsFine(engine.done({ method: "DELETE", path, query: { force: "1" } }, call));
    }
  }
}

async function missingIsFine(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
