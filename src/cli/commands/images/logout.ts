// kiln logout: forgets what is kept for a registry.
import { forgetCredentials, registryHost } from "../../config/index.ts";
import { type Command, defineCommand } from "../command.ts";

export const logout: Command = defineCommand({
  spec: {
    path: ["logout"],
    argsUsage: "[SERVER]",
    args: { min: 0, max: 1 },
    summary: "Log out from a registry",
    about: "Without SERVER, logs out from Docker Hub.",
    flags: {},
  },
  async run(_flags, [server = ""], world) {
    const host = registryHost(server);
    const forgotten = await forgetCredentials(host, world.env, world.call);
    world.stdout.write(
      forgotten ? `Removing login credentials for ${host}\n` : `Not logged in to ${host}\n`,
    );
    return 0;
  },
});
