// kiln use: which builder is used when none is named.
import { isKilnError, KilnError } from "../../../base/index.ts";
import { embeddedName } from "../../../remote/driver/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { type KnownBuilder, type KnownBuilders, openKnownBuilders } from "./known-builders.ts";

export const use: Command = defineCommand({
  spec: {
    path: ["use"],
    argsUsage: "NAME",
    args: { min: 0, max: 1 },
    summary: "Set the current builder instance",
    about:
      "The choice holds for the docker engine in use (DOCKER_HOST or docker's context), and for docker buildx as well. 'kiln use embedded' goes back to the engine in this process.",
    flags: {
      default: { type: "bool", usage: "Set builder as default for current context" },
      global: { type: "bool", usage: "Builder persists context changes" },
    },
  },
  async run({ values }, [argument], world) {
    const known = await openKnownBuilders(world);
    const name = argument ?? world.globals.builder;
    const how = { global: values.global, default: values.default };
    const own = name === embeddedName || name === "default" || name === known.contexts.current;
    if (own && !known.store.read(name)) {
      // An empty name is the engine's own builder to buildx, and the embedded one here.
      await known.store.change((change) => change.setCurrent(known.key, "", how), world.call);
      return 0;
    }
    const builder = name === "" ? undefined : findForUse(name, known);
    if (!builder)
      throw new KilnError("FLAG_INVALID", "which builder? Its name is missing", {
        hint: "Usage: kiln use NAME",
      });
    if (builder.origin === "context") {
      throw new KilnError(
        "BUILDER_INVALID",
        `run \`docker context use ${name}\` to switch to context ${name}`,
      );
    }
    await known.store.change(
      (change) => change.setCurrent(known.key, builder.name, how),
      world.call,
    );
    return 0;
  },
});

function findForUse(name: string, known: KnownBuilders): KnownBuilder {
  try {
    return known.find(name);
  } catch (error) {
    if (!isKilnError(error, "BUILDER_NOT_FOUND")) throw error;
    throw new KilnError("BUILDER_NOT_FOUND", `failed to find instance ${JSON.stringify(name)}`, {
      hint: `See which there are: kiln ls. Make it: kiln create --name ${name}`,
    });
  }
}
