// The builder that was chosen: the engine in this process, a daemon, or several nodes as one.
import type { Build, Builder, BuildPlace, BuildRequest } from "../../../api/index.ts";
import { AsyncStack, type Call, KilnError, log, parseBool } from "../../../base/index.ts";
import { openRemoteBuilder } from "../../../remote/client/index.ts";
import {
  askWorkers,
  type Driver,
  listens,
  type MultiNode,
  multiBuilder,
  openNode,
} from "../../../remote/driver/index.ts";
import { openBuildOrigins } from "../../../remote/store/index.ts";
import { type RunWorld, sayWarning } from "../command.ts";
import { joinImages } from "../images/join-images.ts";
import { bootNodes } from "./builder-boot.ts";
import { defaultProvenance } from "./default-attestations.ts";
import { type KnownBuilder, type KnownBuilders, openKnownBuilders } from "./known-builders.ts";

const debug = log("client");

/** How long a daemon that somebody else starts may take, in milliseconds. */
const patience = 20_000;

/** Opens it; nodes that sleep are started when they are first needed. */
export async function openChosenBuilder(
  world: RunWorld,
  openEmbedded: (root: string) => Promise<Builder>,
): Promise<Builder> {
  const { builder, nodes, first } = await chosenNodes(world, openEmbedded);
  if (nodes.length === 1) return await first.open(world.call);
  return multiBuilder(nodes, {
    name: builder.name,
    now: world.now,
    join: (names, images, annotations, call) =>
      joinImages(names, { images, annotations }, world, call),
  });
}

/** Its nodes, each by itself; those that sleep are started. The caller closes them. */
export async function openChosenNodes(
  world: RunWorld,
  openEmbedded: (root: string) => Promise<Builder>,
): Promise<{
  readonly name: string;
  readonly nodes: readonly { readonly name: string; readonly builder: Builder }[];
}> {
  const { builder, nodes } = await chosenNodes(world, openEmbedded);
  await using stack = new AsyncStack();
  const opened: { readonly name: string; readonly builder: Builder }[] = [];
  for (const { name, open } of nodes)
    opened.push({ name, builder: stack.use(await open(world.call)) });
  stack.move();
  return { name: builder.name, nodes: opened };
}

async function chosenNodes(
  world: RunWorld,
  openEmbedded: (root: string) => Promise<Builder>,
): Promise<{
  readonly builder: KnownBuilder;
  readonly nodes: readonly MultiNode[];
  readonly first: MultiNode;
}> {
  const known = await openKnownBuilders(world);
  const builder = hostBuilder(world) ?? known.chosen();
  if (builder.origin === "store") known.store.touch(builder.name, world.now());
  const nodes = builder.nodes.map((record): MultiNode => {
    const driver = openNode(builder, record, known.drivers);
    return {
      name: record.name,
      pinned: record.platforms,
      open: (call) => openDriver(driver, builder, known, { ...world, call }, openEmbedded),
    };
  });
  const [first] = nodes;
  if (!first) throw new KilnError("BUILDER_INVALID", `builder ${builder.name} has no nodes`);
  return { builder, nodes, first };
}

/** The builder that builds are for. */
export async function chosenBuilder(
  world: RunWorld,
): Promise<Pick<KnownBuilder, "name" | "driver">> {
  return hostBuilder(world) ?? (await openKnownBuilders(world)).chosen();
}

/** Docker's own builder has what it builds without being loaded. */
export async function chosenLoads(world: RunWorld): Promise<boolean> {
  const known = await openKnownBuilders(world);
  const builder = hostBuilder(world) ?? known.chosen();
  return builder.nodes.some((node) => {
    const { name, defaultLoad } = openNode(builder, node, known.drivers);
    return defaultLoad && name !== "docker";
  });
}

/** BUILDKIT_HOST is a builder of its own where none was named. */
function hostBuilder(world: RunWorld): KnownBuilder | undefined {
  const host = world.env["BUILDKIT_HOST"];
  if (!host || world.globals.builder || world.env["BUILDX_BUILDER"]) return undefined;
  const node = { name: host, endpoint: host, platforms: [], driverOpts: {}, flags: [], files: {} };
  return { name: host, driver: "remote", nodes: [node], dynamic: false, origin: "embedded" };
}

async function openDriver(
  driver: Driver,
  builder: KnownBuilder,
  known: KnownBuilders,
  world: RunWorld,
  openEmbedded: (root: string) => Promise<Builder>,
): Promise<Builder> {
  const { node } = driver;
  if (driver.inProcess && !(await listens(node.endpoint, world.call)))
    return await openEmbedded(driver.inProcess.root);
  await bootNodes({ ...builder, nodes: [node] }, known, patience, world);
  const { connectSession } = driver;
  const remote = openRemoteBuilder((call) => driver.connect(call), {
    name: node.name,
    ...(connectSession
      ? { connectSession: (headers, call: Call) => connectSession(headers, call) }
      : {}),
  });
  return {
    ...remote,
    build: (request, session, call) => {
      const adapted = adapt(request, driver, world);
      noteOrigin(request, node.name, builder, known, world);
      // Docker's two stores of images have exporters of different names: which it is shows in its workers.
      const build =
        driver.name === "docker"
          ? lateBuild(async () =>
              remote.build(await forDocker(adapted, driver, call), session, call),
            )
          : remote.build(adapted, session, call);
      const { history } = remote;
      const place = { builder: builder.name, node: node.name, ref: request.ref };
      return placed(build, { ...place, ...(history ? { history } : {}) });
    },
  };
}

/** The same build, with a result that says where it was made. */
function placed({ events, result }: Build, place: BuildPlace): Build {
  const told = result.then((one) => ({ ...one, places: [place] }));
  told.catch(() => undefined);
  return { events, result: told };
}

/** Paths of this machine, which the history of the builder does not have. A build goes on without them. */
function noteOrigin(
  { ref, attrs }: BuildRequest,
  node: string,
  { name, origin: kind }: KnownBuilder,
  { store }: KnownBuilders,
  world: RunWorld,
): void {
  const origin = attrs["requestid"] || kind === "embedded" ? undefined : world.originOf?.(ref);
  if (!origin) return;
  try {
    openBuildOrigins(store.directory).save(name, node, ref, origin);
  } catch (error) {
    debug.debug("origin not noted", { error: String(error) });
  }
}

/** A build that begins when something has been asked first. */
function lateBuild(
  start: () => Promise<ReturnType<Builder["build"]>>,
): ReturnType<Builder["build"]> {
  const started = start();
  started.catch(() => undefined);
  const result = started.then((build) => build.result);
  result.catch(() => undefined);
  async function* events() {
    let build: ReturnType<Builder["build"]>;
    try {
      build = await started;
    } catch {
      // Told by the result.
      return;
    }
    yield* build.events;
  }
  return { events: events(), result };
}

/** An image that nobody asked to be kept anywhere stays in the cache of a daemon that has no images of its own. */
function adapt(request: BuildRequest, driver: Driver, world: RunWorld): BuildRequest {
  const noLoad = parseBool(world.env["BUILDX_NO_DEFAULT_LOAD"] ?? "") ?? false;
  // Docker's own images go before those of registries, where nothing else is asked for.
  const attrs =
    driver.name === "docker" && request.frontend
      ? { "image-resolve-mode": "local", ...request.attrs }
      : request.attrs;
  if (driver.name === "docker" && !noLoad) return { ...request, attrs };
  const kept = request.exporters.filter(
    ({ type, attrs }) => type !== "image" || Object.keys(attrs).some((key) => key !== "name"),
  );
  if (kept.length === request.exporters.length) return { ...request, attrs };
  // Whoever switched loading off knows.
  if (kept.length === 0 && !noLoad) {
    const say = world.sayLater ?? ((text) => sayWarning(world, text));
    say(
      `No output specified with ${driver.name} driver. Build result will only remain in the build cache. To push result image into registry use --push or to load image into docker use --load`,
    );
  }
  return { ...request, attrs, exporters: kept };
}

const containerdLabel = "org.mobyproject.buildkit.worker.containerd.namespace";

/** Images go to the engine's own exporter. Its older store has no room for attestations beside an image. */
async function forDocker(request: BuildRequest, driver: Driver, call: Call): Promise<BuildRequest> {
  const exporters = request.exporters.map((one) =>
    one.type === "image" ? { ...one, type: "moby" } : one,
  );
  const { "attest:provenance": provenance, ...attrs } = request.attrs;
  if (provenance !== defaultProvenance) return { ...request, exporters };
  const { labels } = await askWorkers(driver, call);
  const containerd = Object.hasOwn(labels, containerdLabel);
  return { ...request, exporters, ...(containerd ? {} : { attrs }) };
}
