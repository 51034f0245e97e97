// kiln dial-stdio: standard input and output as a connection to the builder's API.
import { pipeline } from "node:stream/promises";
import { KilnError } from "../../../base/index.ts";
import { hostPlatform, matchPlatform, parsePlatform } from "../../../formats/oci/index.ts";
import { askNode, listens, openNode } from "../../../remote/driver/index.ts";
import type { NodeRecord } from "../../../remote/store/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { bootNodes } from "./builder-boot.ts";
import { type KnownBuilder, type KnownBuilders, openKnownBuilders } from "./known-builders.ts";

export const dialStdio: Command = defineCommand({
  spec: {
    path: ["dial-stdio"],
    args: { min: 0, max: 0 },
    summary: "Proxy current stdio streams to builder instance",
    flags: {
      platform: {
        type: "string",
        value: "os/arch",
        usage: "Target platform: this is used for node selection",
      },
      progress: {
        type: "string",
        default: "none",
        value: "auto|none|plain|rawjson|tty",
        usage: "Set type of progress output. Use plain to show container output",
      },
    },
  },
  async run({ values }, _args, world) {
    const known = await openKnownBuilders(world);
    const builder = known.chosen();
    const node = await nodeFor(values.platform, builder, known, world);
    const driver = openNode(builder, node, known.drivers);
    if (driver.inProcess && !(await listens(node.endpoint, world.call))) {
      throw new KilnError(
        "UNSUPPORTED",
        `builder ${builder.name} runs in the asking process: it has no connection to give`,
        {
          hint: "Start a daemon with 'kiln serve', or choose another builder with --builder.",
        },
      );
    }
    if (!driver.inProcess)
      await bootNodes({ ...builder, nodes: [node] }, known, 20_000, world, "none");
    const stream = await driver.connect(world.call);
    const stop = () => void stream.destroy(world.call.signal.reason);
    world.call.signal.addEventListener("abort", stop, { once: true });
    // Either side may end first: what the builder still says is passed on, and nobody waits for more input.
    const down = pipeline(stream, process.stdout, { end: false });
    const up = pipeline(process.stdin, stream).catch(() => undefined);
    await down;
    void up;
    return 0;
  },
});

/** The first node for the platform: pinned to it, else offering it; the first of all where none was asked for. */
async function nodeFor(
  text: string,
  builder: KnownBuilder,
  known: KnownBuilders,
  world: RunWorld,
): Promise<NodeRecord> {
  const [first] = builder.nodes;
  if (!first) throw new KilnError("BUILDER_INVALID", `builder ${builder.name} has no nodes`);
  if (text === "") return first;
  const matcher = matchPlatform(parsePlatform(text, hostPlatform(process.arch)));
  const pinned = builder.nodes.find(({ platforms }) =>
    platforms.some((one) => matcher.matches(one)),
  );
  if (pinned) return pinned;
  for (const node of builder.nodes) {
    const { platforms } = await askNode(openNode(builder, node, known.drivers), world.call);
    if (platforms.some((one) => matcher.matches(one))) return node;
  }
  return first;
}
