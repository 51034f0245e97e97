// The builder that was chosen: the engine in this process, a daemon, or several nodes as one.
import type { Builder } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";
import { listens, openNode } from "../../remote/driver/index.ts";
import type { RunWorld } from "./command.ts";
import { type KnownBuilder, type KnownBuilders, openKnownBuilders } from "./known-builders.ts";

/** Opens it; nodes that sleep are started when they are first needed. */
export async function openChosenBuilder(
  world: RunWorld,
  openEmbedded: (root: string) => Promise<Builder>,
): Promise<Builder> {
  const known = await openKnownBuilders(world);
  const builder = hostBuilder(known, world) ?? known.chosen();
  const [first] = builder.nodes;
  if (!first) throw new KilnError("BUILDER_INVALID", `builder ${builder.name} has no nodes`);
  const driver = openNode(builder, first, known.drivers);
  if (driver.inProcess && !(await listens(first.endpoint, world.call)))
    return await openEmbedded(driver.inProcess.root);
  throw new KilnError("UNSUPPORTED", "remote builders");
}

/** BUILDKIT_HOST is a builder of its own where none was named. */
function hostBuilder(known: KnownBuilders, world: RunWorld): KnownBuilder | undefined {
  const host = world.env["BUILDKIT_HOST"];
  if (!host || world.globals.builder || world.env["BUILDX_BUILDER"]) return undefined;
  void known;
  return {
    name: host,
    driver: "remote",
    nodes: [{ name: host, endpoint: host, platforms: [], driverOpts: {}, flags: [], files: {} }],
    dynamic: false,
    origin: "embedded",
  };
}
