// SSH keys, the agent protocol, and signatures over data.
export * from "./agent.ts";
export * from "./keys.ts";
export { checkSshSignature, type SshSigner } from "./signed-data.ts";
export { sshString } from "./wire.ts";
