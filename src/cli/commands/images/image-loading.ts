// Bringing an image into a running docker engine: `--load`, `--output type=docker` without a destination.

import { homedir } from "node:os";
import { join } from "node:path";
import type { BuildEvent, ExportRequest } from "../../../api/index.ts";
import { type Bytes, type Call, digestOf, isRecord, KilnError } from "../../../base/index.ts";
import type { DockerEngine } from "../../../remote/docker/index.ts";
import type { BuildPlan } from "../build/plan.ts";
import { buildsInDocker } from "../builders/builder.ts";
import type { RunWorld } from "../command.ts";

/** Takes an image's archive into an engine. */
export type ImageLoader = (tar: Bytes, call: Call) => Promise<void>;

/** The plan with each load turned into what its engine can take, and who takes it, by index of the exporter. */
export interface LoadingPlan {
  readonly plan: BuildPlan;
  readonly loaders: ReadonlyMap<number, ImageLoader>;
}

/**
 * Asks every engine that is to be loaded what it is, before any work. Engines with containerd's image store get an OCI
 * archive, with all platforms and attestations; others the image of one platform. Throws `BUILDER_UNREACHABLE` where none
 * answers, and `UNSUPPORTED` where it cannot take what is built.
 */
export async function prepareLoads(plan: BuildPlan, world: RunWorld): Promise<LoadingPlan> {
  const loaders = new Map<number, ImageLoader>();
  const exporters: ExportRequest[] = [];
  const receivers = [...plan.receivers];
  for (const [index, request] of plan.exporters.entries()) {
    const receiver = receivers[index];
    if (receiver?.load === undefined) {
      exporters.push(request);
      continue;
    }
    // Docker's own builder has the image when it has built it.
    if (receiver.load.context === undefined && (await buildsInDocker(world))) {
      exporters.push({ ...request, type: "image" });
      receivers[index] = undefined;
      continue;
    }
    const engine = await openEngine(receiver.load.context, world);
    const containerd = await keepsIndexes(engine, world.call);
    const platforms = plan.attrs["platform"]?.split(",").length ?? 1;
    if (platforms > 1 && !containerd) {
      throw new KilnError(
        "UNSUPPORTED",
        `the docker engine at ${engine.endpoint.host} keeps images of one platform only`,
        {
          hint: "Turn on its containerd image store, build for one platform, or use --push.",
        },
      );
    }
    exporters.push(containerd ? { ...request, type: "oci" } : request);
    loaders.set(index, (tar, call) => loadImage(engine, tar, call));
  }
  return { plan: { ...plan, exporters, receivers }, loaders };
}

/** The same loaders, each shown as a step of the build. */
export function shownLoaders(
  loaders: ReadonlyMap<number, ImageLoader>,
  name: string,
  show: (event: BuildEvent) => void,
  now: () => Date,
): ReadonlyMap<number, ImageLoader> {
  return new Map(
    [...loaders].map(([index, load]): [number, ImageLoader] => {
      const step = digestOf(`${name} ${index}`);
      const tell = (state: "started" | "done" | "failed") =>
        show({ type: "step", step, name, at: now(), state });
      return [
        index,
        async (tar, call) => {
          tell("started");
          await load(tar, call).catch((error: unknown) => {
            tell("failed");
            throw error;
          });
          tell("done");
        },
      ];
    }),
  );
}

async function openEngine(context: string | undefined, { env }: RunWorld): Promise<DockerEngine> {
  // Loaded for those who have an engine.
  const { dockerEngine, readDockerContexts } = await import("../../../remote/docker/index.ts");
  const directory = env["DOCKER_CONFIG"] || join(env["HOME"] || homedir(), ".docker");
  const contexts = readDockerContexts({ env, directory, ...(context ? { context } : {}) });
  const endpoint = contexts.endpoint(contexts.current);
  if (endpoint) return dockerEngine(endpoint, env);
  throw new KilnError("FLAG_INVALID", `there is no docker context ${contexts.current}`, {
    hint: `Contexts are ${contexts.names().join(", ")}.`,
  });
}

/** True for containerd's image store, which keeps lists of images for several platforms. */
async function keepsIndexes(engine: DockerEngine, call: Call): Promise<boolean> {
  const info = await reached(engine, () => engine.json({ method: "GET", path: "/info" }, call));
  const status = isRecord(info) ? info["DriverStatus"] : undefined;
  if (!Array.isArray(status)) return false;
  return status.some(
    (pair) =>
      Array.isArray(pair) && pair[0] === "driver-type" && /containerd\.snapshotter/.test(pair[1]),
  );
}

async function reached<T>(engine: DockerEngine, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KilnError) || error.code !== "BUILDER_UNREACHABLE") throw error;
    const { host } = engine.endpoint;
    const { defaultDockerHost } = await import("../../../remote/docker/index.ts");
    const where = host === defaultDockerHost ? "here" : `at ${host}`;
    throw new KilnError(error.code, `there is no docker engine ${where} to load the image into`, {
      cause: error,
      hint: "Leave --load out: the image is kept in Kiln's own store, and 'kiln run' runs it. Or write --output type=docker,dest=image.tar.",
    });
  }
}

async function loadImage(engine: DockerEngine, tar: Bytes, call: Call): Promise<void> {
  const answer = await engine.send(
    {
      method: "POST",
      path: "/images/load",
      query: { quiet: "1" },
      headers: { "content-type": "application/x-tar" },
      body: tar,
    },
    call,
  );
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += chunk;
  for (const line of text.split("\n")) {
    const message = errorIn(line);
    if (message === undefined) continue;
    throw new KilnError("DOCKER_FAILED", `docker did not take the image: ${message}`);
  }
}

/** One message of the engine's stream; failures come in it, after status 200. */
function errorIn(line: string): string | undefined {
  try {
    const message: unknown = JSON.parse(line);
    return isRecord(message) && typeof message["error"] === "string" ? message["error"] : undefined;
  } catch {
    return undefined;
  }
}
