// kiln serve: a daemon that speaks BuildKit's protocol, with buildkitd's flags.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Builder } from "../../../api/index.ts";
import {
  AsyncStack,
  delay,
  fromNodeError,
  isDead,
  KilnError,
  processTag,
  quoteGo,
  writeFileAtomic,
} from "../../../base/index.ts";
import { formatPlatform } from "../../../formats/oci/index.ts";
import {
  Figures,
  inheritedSockets,
  listen,
  notifyReady,
  notifyStopping,
  serveBuilder,
  serveFigures,
} from "../../../remote/daemon/index.ts";
import { createGrpcServer, describeStatus, type GrpcServer } from "../../../remote/grpc/index.ts";
import { readConfig } from "../../config/index.ts";
import { openEmbedded } from "../builders/builder.ts";
import { openClientConfig } from "../builders/client-config.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { kilnVersion } from "../version.ts";
import { serveFlags } from "./serve-flags.ts";
import { daemonLog, type Say } from "./serve-log.ts";
import { type DaemonSettings, daemonSettings } from "./serve-settings.ts";

/** Where the reference's daemon has its configuration. */
const usualConfig = "/etc/buildkit/buildkitd.toml";
/** Milliseconds that running calls get when the daemon is told to stop. */
const farewell = 3000;

/** Milliseconds between pings: whoever does not answer has gone without a word, or never spoke the protocol. */
const keepAlive = 60_000;

const version = { package: "kiln", version: `v${kilnVersion}`, revision: "" };

export const serve: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["serve"],
    args: { min: 0, max: 0 },
    summary: "Run a daemon that speaks BuildKit's protocol",
    about:
      "Takes buildkitd's flags and its buildkitd.toml, and is what clients of BuildKit connect to: docker buildx, buildctl, kiln. Also started as kilnd or buildkitd.",
    examples: [
      {
        what: "Serve on the usual socket, and use it with docker buildx",
        run: "kiln serve & docker buildx create --name kiln --driver remote unix:///run/buildkit/buildkitd.sock",
      },
      {
        what: "Serve on TCP for clients with a certificate",
        run: "kiln serve --addr tcp://0.0.0.0:1234 --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem",
      },
    ],
    flags: serveFlags,
  },
  async run(flags, _args, given) {
    if (flags.values.version) {
      given.stdout.write(`kilnd ${version.package} ${version.version}\n`);
      return 0;
    }
    const world = withUsualConfig(given);
    const file = world.globals.config;
    const config = await readConfig(file === "" ? undefined : resolve(world.cwd, file), world.env);
    const read = daemonSettings(flags, config, world);
    const lost = file === "" && given.globals.config;
    const notes = lost ? [`there is no configuration file ${lost}`, ...read.notes] : read.notes;
    const settings = { ...read, notes };
    const { root } = await openClientConfig(world);
    await using owned = new AsyncStack();
    lockRoot(root, owned);
    await run(settings, root, owned, world);
    return 0;
  },
});

/** One that is named and not there is as good as none, as for the reference: scripts name the usual one either way. */
function withUsualConfig(world: RunWorld): RunWorld {
  const { config } = world.globals;
  const named = config === "" ? "" : resolve(world.cwd, config);
  if (named !== "" && existsSync(named)) return world;
  const usual = [userConfig(world), usualConfig].find((file) => file && existsSync(file)) ?? "";
  if (named === "" && (world.env["KILN_CONFIG"] || usual === "")) return world;
  return { ...world, globals: { ...world.globals, config: named === "" ? usual : "" } };
}

/** Of users who are not root. */
function userConfig({ env }: RunWorld): string | undefined {
  if (process.geteuid?.() === 0 && env["KILN_ENTERED"] === undefined) return undefined;
  const home = env["XDG_CONFIG_HOME"] || (env["HOME"] && join(env["HOME"], ".config"));
  return home ? join(home, "buildkit/buildkitd.toml") : undefined;
}

async function run(
  settings: DaemonSettings,
  root: string,
  owned: AsyncStack,
  world: RunWorld,
): Promise<void> {
  const say = daemonLog(
    { format: settings.logFormat, least: settings.logLevel },
    world.now,
    (line) => world.stderr.write(line),
  );
  const builder = owned.use(
    await openEmbedded(world, { root, manyClients: true, ...settings.engine }),
  );
  const figures = new Figures();
  const id = workerId(root);
  const labels = { ...workerLabels(settings), ...settings.labels };
  const services = serveBuilder(builder, {
    workerId: id,
    version,
    labels,
    now: world.now,
    figures,
  });
  const server = owned.use(
    createGrpcServer(services, {
      keepAlive,
      onError: (error) => say("debug", `connection: ${String(error)}`),
      onFailure: (path, status) =>
        say("error", `${path} returned error: ${describeStatus(status)}`),
    }),
  );
  await introduce(builder, { id, labels }, say, world);
  for (const note of settings.notes) say("warning", note);
  for (const address of settings.addresses) {
    const tls = address.kind === "tcp" ? settings.tls : undefined;
    if (address.kind === "unix" && settings.tls)
      say("warning", `TLS is disabled for unix://${address.path}`);
    if (address.kind === "tcp" && !tls)
      say(
        "warning",
        `TLS is not enabled for tcp://${address.host}:${address.port}. enabling mutual TLS authentication is highly recommended`,
      );
    const places = await listen(address, {
      ...settings,
      ...(tls ? { tls } : {}),
      onRenewal: (failure) =>
        failure === undefined
          ? say("info", "using a new certificate")
          : say("warning", `the new certificate cannot be used: ${String(failure)}`),
      inherited: inheritedSockets(world.env),
      accept: (socket) => {
        figures.connections++;
        void server.accept(socket).finally(() => figures.connections--);
      },
    });
    for (const place of places) {
      owned.use(place);
      say("info", `running server on ${place.address}`);
    }
  }
  if (settings.debugAddress !== undefined) {
    const debugging = owned.use(await serveFigures(settings.debugAddress, figures));
    say("info", `running debug server on ${debugging.address}`);
  }
  notifyReady(world.env);
  await stopped(world);
  say("info", "stopping server");
  notifyStopping(world.env);
  await farewells(server);
}

/** The lines about the worker that scripts look for. */
async function introduce(
  builder: Builder,
  worker: { readonly id: string; readonly labels: Readonly<Record<string, string>> },
  say: Say,
  { call }: RunWorld,
): Promise<void> {
  const info = await builder.info(call);
  const labels = Object.entries({ ...info.labels, ...worker.labels })
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`);
  const platforms = info.platforms.map(formatPlatform);
  const snapshotter = info.labels["org.mobyproject.buildkit.worker.snapshotter"];
  if (snapshotter) say("info", `auto snapshotter: using ${snapshotter}`);
  say(
    "info",
    `found worker ${quoteGo(worker.id)}, labels=map[${labels.join(" ")}], platforms=[${platforms.join(" ")}]`,
  );
  say("info", `found 1 workers, default=${quoteGo(worker.id)}`);
}

/** What the reference's worker says of its machine, besides what every builder says of itself. */
function workerLabels({ engine }: DaemonSettings): Readonly<Record<string, string>> {
  const label = (name: string) => `org.mobyproject.buildkit.worker.${name}`;
  return {
    [label("hostname")]: hostname(),
    [label("network")]: engine.network === "host" ? "host" : "bridge",
    [label("oci.process-mode")]: "sandbox",
    [label("selinux.enabled")]: "false",
  };
}

/** Resolves when the process is told to stop. */
function stopped({ call: { signal } }: RunWorld): Promise<void> {
  return new Promise((resolveStopped) => {
    if (signal.aborted) return resolveStopped();
    signal.addEventListener("abort", () => resolveStopped(), { once: true });
  });
}

/** Builds that end soon may end well; whoever stays longer is cut off. */
async function farewells(server: GrpcServer): Promise<void> {
  const patience = new AbortController();
  const late = delay(farewell, { signal: patience.signal }).then(
    () => patience.abort(),
    () => {},
  );
  await server.shutdown({ signal: patience.signal }).catch(() => {});
  patience.abort();
  await late;
}

/** A name of 25 characters that stays with the root. */
function workerId(root: string): string {
  const path = join(root, "workerid");
  try {
    const known = readFileSync(path, "utf8").trim();
    if (/^[a-z0-9]{25}$/.test(known)) return known;
  } catch {
    // There is none yet.
  }
  const number = BigInt(`0x${randomBytes(17).toString("hex")}`);
  const made = number.toString(36).padStart(25, "0").slice(-25);
  writeFileAtomic(path, `${made}\n`);
  return made;
}

/** One daemon a root: a second one is refused, what a dead one left is taken over. */
function lockRoot(root: string, owned: AsyncStack): void {
  const path = join(root, "daemon.lock");
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    for (let tries = 0; ; tries++) {
      try {
        writeFileSync(path, processTag(), { flag: "wx", mode: 0o600 });
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || tries > 3) throw error;
        if (isDead(readFileSync(path, "utf8")) === false) throw inUse(root);
        rmSync(path, { force: true });
      }
    }
  } catch (error) {
    throw fromNodeError(error, `locking ${root}`);
  }
  owned.defer(() => rmSync(path, { force: true }));
}

function inUse(root: string): KilnError {
  return new KilnError(
    "DAEMON_RUNNING",
    `could not lock ${root}: another daemon is running there`,
    {
      hint: "Stop it, or give this one another --root.",
    },
  );
}
