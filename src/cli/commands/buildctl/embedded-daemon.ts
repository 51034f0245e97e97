// The engine in this process behind BuildKit's API, for `--addr embedded://`: no daemon, no socket, the same protocol.
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { type AsyncStack, KilnError } from "../../../base/index.ts";
import { serveBuilder } from "../../../remote/daemon/index.ts";
import { createGrpcServer } from "../../../remote/grpc/index.ts";
import { readConfig } from "../../config/index.ts";
import { globalFlags, parseFlags } from "../../flags/index.ts";
import { openEmbedded } from "../builders/builder.ts";
import { openClientConfig } from "../builders/client-config.ts";
import type { RunWorld } from "../command.ts";
import { serveFlags } from "../serve/serve-flags.ts";
import { daemonSettings } from "../serve/serve-settings.ts";
import { splitWords } from "../shell-split.ts";
import { kilnVersion } from "../version.ts";

/** Gives connections to the engine, which lives as long as `owned`. BUILDKITD_FLAGS and buildkitd.toml count as for a daemon. */
export async function openEmbeddedDaemon(
  owned: AsyncStack,
  given: RunWorld,
): Promise<() => Promise<Duplex>> {
  const words = splitWords(given.env["BUILDKITD_FLAGS"] ?? "");
  if (!words)
    throw new KilnError("FLAG_INVALID", "BUILDKITD_FLAGS holds a quote that is not closed");
  const { flags } = parseFlags({ ...globalFlags, ...serveFlags }, words, {
    command: "kiln serve",
  });
  const { root, config: file } = flags.values;
  const globals = {
    ...given.globals,
    ...(root === "" ? {} : { root }),
    ...(file === "" ? {} : { config: file }),
  };
  const standing = given.enter?.(globals.isolation);
  const world: RunWorld = { ...given, globals, ...(standing && { standing }) };
  const path = globals.config;
  const config = await readConfig(path === "" ? undefined : resolve(world.cwd, path), world.env);
  const settings = daemonSettings(flags, config, world);
  const state = await openClientConfig(world);
  const builder = owned.use(await openEmbedded(world, { root: state.root, ...settings.engine }));
  const number = BigInt(`0x${randomBytes(17).toString("hex")}`);
  const services = serveBuilder(builder, {
    workerId: number.toString(36).padStart(25, "0").slice(-25),
    version: { package: "kiln", version: `v${kilnVersion}`, revision: "" },
    labels: settings.labels,
    now: world.now,
  });
  const server = owned.use(createGrpcServer(services));
  return async () => {
    const [near, far] = duplexPair();
    void server.accept(far);
    return near;
  };
}
