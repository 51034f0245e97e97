// kiln install, kiln uninstall: `docker builder` means `docker buildx`, or no longer does, in docker's configuration.
import { setDockerAlias } from "../../config/index.ts";
import { type Command, defineCommand } from "../command.ts";

export const install: Command = defineCommand({
  spec: {
    path: ["install"],
    args: { min: 0, max: 0 },
    summary: "Install buildx as a 'docker builder' alias",
    flags: {},
  },
  async run(_flags, _args, world) {
    setDockerAlias("builder", "buildx", world.env);
    return 0;
  },
});

export const uninstall: Command = defineCommand({
  spec: {
    path: ["uninstall"],
    args: { min: 0, max: 0 },
    summary: "Uninstall the 'docker builder' alias",
    flags: {},
  },
  async run(_flags, _args, world) {
    setDockerAlias("builder", undefined, world.env);
    return 0;
  },
});
