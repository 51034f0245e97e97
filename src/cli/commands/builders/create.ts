// kiln create: makes a builder, or adds, changes and removes its nodes.
import { randomInt } from "node:crypto";
import { KilnError } from "../../../base/index.ts";
import { creatableDrivers } from "../../../remote/driver/index.ts";
import { randomBuilderName } from "../../../remote/store/index.ts";
import { type Command, defineCommand, type RunWorld, sayWarning } from "../command.ts";
import { bootNodes } from "./builder-boot.ts";
import { type CreateRequest, readCreateFlags } from "./create-flags.ts";
import { changedBuilder, withoutNode } from "./create-record.ts";
import { type KnownBuilders, openKnownBuilders } from "./known-builders.ts";

export const create: Command = defineCommand({
  spec: {
    path: ["create"],
    argsUsage: "[CONTEXT|ENDPOINT]",
    args: { min: 0, max: 1 },
    summary: "Create a new builder instance",
    about:
      "Makes a builder and prints its name. Without a driver it is an embedded one, which builds in the process that asks and needs no daemon; with BUILDKIT_HOST it is the daemon there. docker buildx sees the same builders.",
    examples: [
      {
        what: "A builder in a container of docker",
        run: "kiln create --driver docker-container --name box --use",
      },
      {
        what: "A BuildKit daemon behind mutual TLS",
        run: "kiln create --driver remote --driver-opt cacert=/certs/ca.pem,cert=/certs/cert.pem,key=/certs/key.pem tcp://builder.example.com:1234",
      },
      {
        what: "A second node, for another processor",
        run: "kiln create --append --name box --platform linux/arm64 ssh://user@arm-machine",
      },
    ],
    flags: {
      append: { type: "bool", usage: "Append a node to builder instead of changing it" },
      bootstrap: { type: "bool", usage: "Boot builder after creation" },
      "buildkitd-config": { type: "string", value: "file", usage: "BuildKit daemon config file" },
      "buildkitd-flags": { type: "string", value: "flags", usage: "BuildKit daemon flags" },
      config: {
        type: "string",
        value: "file",
        usage: "BuildKit daemon config file",
        hidden: true,
        deprecated: "use --buildkitd-config",
      },
      driver: {
        type: "string",
        usage: `Driver to use (available: ${creatableDrivers.join(", ")})`,
      },
      "driver-opt": {
        type: "stringArray",
        value: "key=value,...",
        usage: "Options for the driver",
      },
      leave: { type: "bool", usage: "Remove a node from builder instead of changing it" },
      name: { type: "string", usage: "Builder instance name" },
      node: { type: "string", usage: "Create/modify node with given name" },
      platform: {
        type: "stringArray",
        value: "os/arch,...",
        usage: "Fixed platforms for current node",
      },
      timeout: {
        type: "duration",
        default: "20s",
        usage: "Override the default timeout for loading builder status",
      },
      use: { type: "bool", usage: "Set the current builder instance" },
    },
  },
  async run({ values, given }, [argument], world) {
    // Here --config is the daemon's: Kiln's own file is the one that the environment names.
    const own = { ...world, globals: { ...world.globals, config: "" } };
    const known = await openKnownBuilders(own);
    const request = readCreateFlags(
      { ...values, flagsGiven: given("buildkitd-flags") },
      argument,
      known,
      own,
    );
    if (request.leave) return await leave(request, known, own);
    return await createOrChange(request, known, own, values.timeout);
  },
});

async function leave(
  request: CreateRequest,
  known: KnownBuilders,
  world: RunWorld,
): Promise<number> {
  const { name, node } = request;
  if (name === undefined)
    throw new KilnError("BUILDER_INVALID", "leave requires instance name", { hint: "Add --name." });
  if (node === undefined)
    throw new KilnError("BUILDER_INVALID", "leave requires node name", { hint: "Add --node." });
  const record = known.store.read(name);
  if (!record)
    throw new KilnError(
      "BUILDER_NOT_FOUND",
      `failed to find instance ${JSON.stringify(name)} for leave`,
    );
  const left = withoutNode(record, node);
  await known.store.change((change) => change.save(left), world.call);
  return 0;
}

async function createOrChange(
  request: CreateRequest,
  known: KnownBuilders,
  world: RunWorld,
  timeout: number,
): Promise<number> {
  if (request.append && request.name === undefined)
    throw new KilnError("BUILDER_INVALID", "append requires a builder name", {
      hint: "Add --name.",
    });
  for (const note of request.notes) sayWarning(world, note);
  const name = request.name ?? freeName(known);
  const { record, changed } = await changedBuilder(name, request, known, world.call);
  if (changed)
    world.stderr.write("WARNING: new settings may not be used until builder is restarted\n");
  await known.store.change((change) => {
    change.save(record);
    if (request.use) change.setCurrent(known.key, record.name, { global: false, default: false });
  }, world.call);
  known.store.touch(record.name, world.now());
  if (request.bootstrap) await bootNodes(record, known, timeout, world);
  world.stdout.write(`${record.name}\n`);
  return 0;
}

function freeName(known: KnownBuilders): string {
  for (let attempt = 0; attempt < 20; attempt++) {
    const name = randomBuilderName(() => randomInt(2 ** 32) / 2 ** 32);
    if (!known.store.read(name)) return name;
  }
  throw new KilnError("BUILDER_INVALID", "no free name was found for the builder", {
    hint: "Give one with --name.",
  });
}
