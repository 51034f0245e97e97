// kiln login: tries credentials out and keeps them where docker keeps its own.
import type { Credentials } from "../../../api/index.ts";
import { isKilnError, KilnError, readAll } from "../../../base/index.ts";
import { keepCredentials, registryHost } from "../../config/index.ts";
import type { Flags } from "../../flags/index.ts";
import { openClientConfig } from "../builders/client-config.ts";
import { type Command, defineCommand, type RunWorld, sayWarning } from "../command.ts";
import { openPlaces } from "./image-places.ts";

/** Longer passwords are a mistake. */
const maxPasswordLength: number = 64 * 1024;

const loginFlags = {
  password: { type: "string", short: "p", usage: "Password or personal access token" },
  "password-stdin": { type: "bool", usage: "Take the password from standard input" },
  username: { type: "string", short: "u", usage: "Username" },
} as const;

export const login: Command = defineCommand({
  spec: {
    path: ["login"],
    argsUsage: "[SERVER]",
    args: { min: 0, max: 1 },
    summary: "Log in to a registry",
    about:
      "Without SERVER, logs in to Docker Hub. Credentials are kept by the credential helper that docker's config.json names, else in that file. Without any flag, tries out what is kept already, or what the CI system has set.",
    examples: [
      {
        what: "Log in with a token from a variable",
        run: 'echo "$TOKEN" | kiln login ghcr.io -u me --password-stdin',
      },
    ],
    flags: loginFlags,
  },
  async run(flags, [server = ""], world) {
    const host = registryHost(server);
    const given = await readCredentials(flags, world);
    using places = await openPlaces(world);
    if (!given) {
      const { credentials } = await openClientConfig(world);
      const known = await credentials(host, world.call);
      if (!known) throw nothingGiven(host);
      await places.client.login(host, known, world.call);
      world.stdout.write("Authenticating with existing credentials...\nLogin Succeeded\n");
      return 0;
    }
    const kept = await tried(() => places.client.login(host, given, world.call), host);
    const credentials: Credentials = { ...given, ...kept };
    const { file, helper } = await keepCredentials(host, credentials, world.env, world.call);
    if (helper === undefined)
      sayWarning(
        world,
        `your credentials are stored unencrypted in ${file}; a credential helper avoids that`,
      );
    world.stdout.write("Login Succeeded\n");
    return 0;
  },
});

async function readCredentials(
  { values, given }: Flags<typeof loginFlags>,
  world: RunWorld,
): Promise<Credentials | undefined> {
  const { username, password } = values;
  if (values["password-stdin"]) {
    if (given("password"))
      throw new KilnError("FLAG_INVALID", "--password and --password-stdin contradict each other");
    if (username === "") throw new KilnError("FLAG_INVALID", "--password-stdin needs --username");
    const data = await readAll(world.stdin, maxPasswordLength, "password on standard input");
    const text = new TextDecoder().decode(data).replace(/\r?\n$/, "");
    if (text === "") throw new KilnError("FLAG_INVALID", "the password on standard input is empty");
    return { username, password: text };
  }
  if (!given("password")) {
    if (username === "") return undefined;
    throw new KilnError("FLAG_INVALID", "--username needs a password", {
      hint: "Give it on standard input, with --password-stdin.",
    });
  }
  if (username === "" || password === "")
    throw new KilnError("FLAG_INVALID", "--username and --password must both say something");
  sayWarning(world, "a password on the command line can be seen by others: use --password-stdin");
  return { username, password };
}

/** A refusal of what was just typed needs no advice to log in. */
async function tried<T>(attempt: () => Promise<T>, host: string): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!isKilnError(error, "REGISTRY_DENIED")) throw error;
    throw new KilnError("REGISTRY_DENIED", error.message, {
      cause: error.cause,
      details: error.details,
      hint: `Check name and password; ${host} may want a token instead of the account's password. Nothing was kept.`,
    });
  }
}

function nothingGiven(host: string): KilnError {
  const name = host === "docker.io" ? "" : ` ${host}`;
  return new KilnError("FLAG_INVALID", `there are no credentials for ${host} yet`, {
    hint: `Give them: echo "$PASSWORD" | kiln login${name} --username NAME --password-stdin`,
  });
}
