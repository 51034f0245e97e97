// kiln run: starts an image's program in a new container, attached to this terminal, and passes its exit code on.
import { resolve } from "node:path";
import type { Credentials, Session } from "../../../api/index.ts";
import { type Call, KilnError } from "../../../base/index.ts";
import type { RunImageRequest } from "../../../engine/engine.ts";
import { hostPlatform } from "../../../formats/oci/index.ts";
import { type Flags, invalidValue, parseKeyValues, parsePlatforms } from "../../flags/index.ts";
import { openRunner } from "../builders/builder.ts";
import { openClientConfig } from "../builders/client-config.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { limitsOf, readEnvFile } from "./run-limits.ts";
import { parseMount, parseTmpfs, parseVolume } from "./run-mounts.ts";

const runFlags = {
  "add-host": {
    type: "stringArray",
    value: "host:ip",
    usage: "Add a custom host-to-IP mapping",
  },
  "cpu-shares": { type: "int", usage: "CPU shares (relative weight)" },
  cpus: { type: "string", value: "decimal", usage: "Number of CPUs" },
  "cpuset-cpus": { type: "string", value: "0-3", usage: "CPUs in which to allow execution" },
  entrypoint: {
    type: "string",
    value: "program",
    usage: "Overwrite the default ENTRYPOINT of the image",
  },
  env: { type: "stringArray", short: "e", value: "name=value", usage: "Set environment variables" },
  "env-file": {
    type: "stringArray",
    value: "file",
    usage: "Read in a file of environment variables",
  },
  hostname: { type: "string", value: "name", usage: "Container host name" },
  interactive: { type: "bool", short: "i", usage: "Pass this command's input on to the program" },
  memory: { type: "bytes", short: "m", usage: "Memory limit" },
  mount: {
    type: "stringArray",
    value: "type=bind,source=path,target=path",
    usage: "Attach a directory or file of this machine, or memory (type=tmpfs), to the container",
  },
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
  privileged: { type: "bool", usage: "Give extended privileges to this container" },
  pull: {
    type: "string",
    default: "missing",
    value: "when",
    usage: "Ask the registry for the image: always or missing",
  },
  rm: { type: "bool", default: "true", usage: "Remove the container when it exits (always done)" },
  "shm-size": { type: "bytes", usage: "Size of /dev/shm" },
  tmpfs: { type: "stringArray", value: "path[:options]", usage: "Mount memory for files" },
  tty: { type: "bool", short: "t", usage: "Run on this terminal" },
  ulimit: { type: "stringArray", value: "name=soft[:hard]", usage: "Ulimit options" },
  user: { type: "string", short: "u", value: "name|uid[:group]", usage: "Username or UID" },
  volume: {
    type: "stringArray",
    short: "v",
    value: "host:container[:ro]",
    usage: "Bind mount a directory or file of this machine",
  },
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
      "Pulls the image if it is not here, and runs it with this terminal's output, and with -i its input. Exits with the program's exit code, with 126 or 127 where it cannot be started. Nothing of the container is kept but what it writes to volumes.",
    examples: [
      { what: "Run what was just built", run: "kiln run app:latest" },
      {
        what: "Run another processor's variant",
        run: "kiln run --platform linux/arm64 alpine uname -m",
      },
      {
        what: "Work in this directory with an image's tools",
        run: "kiln run -it -v .:/src -w /src node:22 npm test",
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
  if (values.tty && !(world.stdin.isTerminal && world.stdout.isTerminal))
    throw new KilnError("FLAG_INVALID", "-t needs a terminal, and input or output is none", {
      hint: "Leave out -t; -i passes input on.",
    });
  const files = values["env-file"].map((file) => readEnvFile(resolve(world.cwd, file), world.env));
  const given = Object.assign({}, ...files, parseKeyValues(values.env, "--env", world.env));
  // Programs that draw want to know on what.
  const term = world.stdout.isTerminal && world.env["TERM"] ? { TERM: world.env["TERM"] } : {};
  const env = Object.entries({ ...term, ...given }).map(([name, value]) => `${name}=${value}`);
  const network = networkOf(values.network);
  // An empty entrypoint given by hand is the wish for none at all.
  const entrypoint = values.entrypoint === "" ? [] : [values.entrypoint];
  return {
    reference,
    platform: parsePlatforms([wanted], host)[0] ?? host,
    ...pullOf(values.pull),
    env,
    network,
    interactive: values.interactive || values.tty,
    mounts: [
      ...values.mount.map((text) => parseMount(text, world.cwd)),
      ...values.volume.map((text) => parseVolume(text, world.cwd)),
      ...values.tmpfs.map(parseTmpfs),
    ],
    limits: limitsOf(values),
    // Who types the command may give what he asks for.
    entitlements: [
      ...(network === "host" ? ["network.host"] : []),
      ...(values.privileged ? ["security.insecure"] : []),
    ],
    ...(values.privileged ? { privileged: true } : {}),
    ...(flags.given("entrypoint") ? { entrypoint } : {}),
    ...(command.length > 0 ? { command } : {}),
    ...(values.user === "" ? {} : { user: values.user }),
    ...(values.workdir === "" ? {} : { cwd: values.workdir }),
  };
}

function pullOf(when: string): { readonly pull: boolean } {
  if (when === "always") return { pull: true };
  if (when === "missing") return { pull: false };
  throw invalidValue("--pull", when, "no such moment", "Write always or missing.");
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
