// kiln rm: removes builders, their daemons and what those kept.
import { createInterface } from "node:readline/promises";
import { KilnError } from "../../../base/index.ts";
import { askNode, openNode } from "../../../remote/driver/index.ts";
import { type Command, defineCommand, type RunWorld, standsInForBuildx } from "../command.ts";
import { type KnownBuilder, type KnownBuilders, openKnownBuilders } from "./known-builders.ts";

export const rm: Command = defineCommand({
  spec: {
    path: ["rm"],
    argsUsage: "[NAME...]",
    args: { min: 0, max: Number.POSITIVE_INFINITY },
    summary: "Remove one or more builder instances",
    flags: {
      "all-inactive": { type: "bool", usage: "Remove all inactive builders" },
      force: { type: "bool", short: "f", usage: "Do not prompt for confirmation" },
      "keep-daemon": { type: "bool", usage: "Keep the BuildKit daemon running" },
      "keep-state": { type: "bool", usage: "Keep BuildKit state" },
      timeout: {
        type: "duration",
        default: "20s",
        usage: "Override the default timeout for loading builder status",
      },
    },
  },
  async run({ values }, names, world) {
    const known = await openKnownBuilders(world);
    const how = { keepState: values["keep-state"], keepDaemon: values["keep-daemon"] };
    if (values["all-inactive"]) {
      if (names.length > 0)
        throw new KilnError(
          "FLAG_INVALID",
          "cannot specify builder name when --all-inactive is set",
        );
      if (!values.force && !(await confirmed(world))) return 0;
      return await removeAll(await inactive(known, values.timeout, world), known, how, world);
    }
    if (names.length > 0) return await removeAll(names, known, how, world);
    return await removeAll([known.chosen().name], known, how, world);
  },
});

async function confirmed(world: RunWorld): Promise<boolean> {
  const question =
    "This will remove all builders that are not in running state. Are you sure you want to continue? [y/N] ";
  if (!world.stdin.isTerminal && standsInForBuildx(world)) {
    // buildx asks all the same, and takes the end of its input for a no.
    world.stdout.write(`WARNING! ${question}\n`);
    return false;
  }
  if (!world.stdin.isTerminal)
    throw new KilnError(
      "FLAG_INVALID",
      "rm --all-inactive asks first, but standard input is no terminal",
      {
        hint: "Add --force.",
      },
    );
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const text = `${world.stderr.style.yellow("WARNING!")} ${question}`;
    return /^y(es)?$/i.test((await ask.question(text, { signal: world.call.signal })).trim());
  } finally {
    ask.close();
  }
}

/** Builders of the store none of whose nodes runs. */
async function inactive(
  known: KnownBuilders,
  timeout: number,
  world: RunWorld,
): Promise<readonly string[]> {
  const stored = known.all().filter(({ origin, dynamic }) => origin === "store" && !dynamic);
  const running = await Promise.all(stored.map((builder) => runs(builder, known, timeout, world)));
  return stored.filter((_builder, at) => !running[at]).map(({ name }) => name);
}

async function runs(
  builder: KnownBuilder,
  known: KnownBuilders,
  timeout: number,
  world: RunWorld,
): Promise<boolean> {
  const call = { signal: AbortSignal.any([world.call.signal, AbortSignal.timeout(timeout)]) };
  const states = await Promise.allSettled(
    builder.nodes.map(async (node) => await askNode(openNode(builder, node, known.drivers), call)),
  );
  if (world.call.signal.aborted) throw world.call.signal.reason;
  return states.some((state) => state.status === "fulfilled" && state.value.status === "running");
}

interface How {
  readonly keepState: boolean;
  readonly keepDaemon: boolean;
}

/** All of them, also after a failure; what failed is told as it happens. */
async function removeAll(
  names: readonly string[],
  known: KnownBuilders,
  how: How,
  world: RunWorld,
): Promise<number> {
  const done = await Promise.all(names.map((name) => removed(name, known, how, world)));
  if (done.every(Boolean)) return 0;
  throw new KilnError("BUILDER_FAILED", "failed to remove one or more builders");
}

async function removed(
  name: string,
  known: KnownBuilders,
  how: How,
  world: RunWorld,
): Promise<boolean> {
  try {
    await removeOne(known.find(name), known, how, world);
    world.stderr.write(`${name} removed\n`);
    return true;
  } catch (error) {
    if (world.call.signal.aborted) throw error;
    world.stderr.write(
      `failed to remove ${name}: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return false;
  }
}

async function removeOne(
  builder: KnownBuilder,
  known: KnownBuilders,
  how: How,
  world: RunWorld,
): Promise<void> {
  if (builder.origin === "embedded")
    throw new KilnError(
      "BUILDER_INVALID",
      "the embedded builder is always there; 'kiln prune' empties it",
    );
  if (builder.origin === "context") {
    const message = `context builder cannot be removed, run \`docker context rm ${builder.name}\` to remove this context`;
    throw new KilnError("BUILDER_INVALID", message);
  }
  const ended = await Promise.allSettled(
    builder.nodes.map(
      async (node) => await openNode(builder, node, known.drivers).remove(how, world.call),
    ),
  );
  // Forgotten in any case: a builder whose machine is gone could never be removed otherwise.
  await known.store.change((change) => change.remove(builder.name), world.call);
  const failed = ended.find((one) => one.status === "rejected");
  if (failed) throw failed.reason;
}
