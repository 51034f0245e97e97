// kiln run: starts an image's program in a new container, attached to this terminal, and passes its exit code on.
import type { Credentials, Session } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";
import type { RunImageRequest } from "../../engine/engine.ts";
import { hostPlatform } from "../../formats/oci/index.ts";
import { type Flags, invalidValue, parseKeyValues, parsePlatforms } from "../flags/index.ts";
import { openRunner } from "./builder.ts";
import { openClientConfig } from "./client-config.ts";
import { type Command, defineCommand, type RunWorld } from "./command.ts";

const runFlags = {
  entrypoint: {
    type: "string",
    value: "program",
    usage: "Overwrite the default ENTRYPOINT of the image",
  },
  env: { type: "stringArray", short: "e", value: "name=value", usage: "Set environment variables" },
  network: {
    type: "string",
    value: "mode",
    usage: "Connect the container to a network: default, host or none",
  },
  platform: {
    type: "string",
    value: "os/arch",
    usage: "Set platform of the image, emulated where needed",
  },
  pull: { type: "bool", usage: "Ask the registry even if the image is here" },
  rm: { type: "bool", default: "true", usage: "Remove the container when it exits (always done)" },
  user: { type: "string", short: "u", value: "name|uid[:group]", usage: "Username or UID" },
  workdir: {
    type: "string",
    short: "w",
    value: "dir",
    usage: "Working directory inside the container",
  },
} as const;

export const run: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["run"],
    argsUsage: "IMAGE[@DIGEST] [COMMAND] [ARG...]",
    args: { min: 1, max: Number.POSITIVE_INFINITY },
    summary: "Run a command in a new container of an image",
    about:
      "Pulls the image if it is not here, and runs it with this terminal's input and output. Exits with the program's exit code.",
    examples: [
      { what: "Run what was just built", run: "kiln run app:latest" },
      {
        what: "Run another processor's variant",
        run: "kiln run --platform linux/arm64 alpine uname -m",
      },
    ],
    flags: runFlags,
    passThrough: true,
  },
  run: runContainer,
});

async function runContainer(
  flags: Flags<typeof runFlags>,
  [reference = "", ...command]: readonly string[],
  world: RunWorld,
): Promise<number> {
  const request = runRequest(flags, reference, command, world);
  const config = await openClientConfig(world);
  await using runner = await openRunner(world);
  return await runner.runImage(request, credentialsOnly(config.credentials), world.call);
}

function runRequest(
  flags: Flags<typeof runFlags>,
  reference: string,
  command: readonly string[],
  world: RunWorld,
): RunImageRequest {
  const { values } = flags;
  const host = hostPlatform(process.arch);
  const wanted = values.platform || world.env["DOCKER_DEFAULT_PLATFORM"] || "";
  const given = parseKeyValues(values.env, "--env", world.env);
  // Programs that draw want to know on what.
  const term = world.stdout.isTerminal && world.env["TERM"] ? { TERM: world.env["TERM"] } : {};
  const env = Object.entries({ ...term, ...given }).map(([name, value]) => `${name}=${value}`);
  const network = networkOf(values.network);
  // An empty entrypoint given by hand is the wish for none at all.
  const entrypoint = values.entrypoint === "" ? [] : [values.entrypoint];
  return {
    reference,
    platform: parsePlatforms([wanted], host)[0] ?? host,
    pull: values.pull,
    env,
    network,
    // Who types the command may give what he asks for.
    ...(network === "host" ? { entitlements: ["network.host"] } : {}),
    ...(flags.given("entrypoint") ? { entrypoint } : {}),
    ...(command.length > 0 ? { command } : {}),
    ...(values.user === "" ? {} : { user: values.user }),
    ...(values.workdir === "" ? {} : { cwd: values.workdir }),
  };
}

function networkOf(mode: string): RunImageRequest["network"] {
  if (mode === "host" || mode === "none" || mode === "default") return mode;
  if (mode === "") return "default";
  throw invalidValue("--network", mode, "no such mode", "Modes are default, host and none.");
}

/** A session that lends credentials and nothing else. */
function credentialsOnly(
  credentials: (host: string, call: Call) => Promise<Credentials | undefined>,
): Session {
  const nothing = (): never => {
    throw new Error("a run lends no files");
  };
  return {
    files: nothing,
    receive: nothing,
    directory: () => undefined,
    secret: async () => undefined,
    ssh: async () => undefined,
    credentials,
  };
}
