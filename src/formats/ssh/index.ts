// SSH keys and the agent protocol.
export * from "./agent.ts";
export * from "./keys.ts";
export { sshString } from "./wire.ts";
