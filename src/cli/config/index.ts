// What is set outside the command line: Kiln's configuration file, docker's credentials, where state is kept.
export * from "./config-file.ts";
export type { DaemonTables } from "./daemon-tables.ts";
export { setDockerAlias } from "./docker-aliases.ts";
export {
  createDockerCredentials,
  type DockerConfig,
  type DockerCredentials,
  dockerDirectory,
  readDockerConfig,
} from "./docker-config.ts";
export * from "./docker-login.ts";
export * from "./state-root.ts";
