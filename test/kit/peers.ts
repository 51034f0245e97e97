// Other programs that Kiln is tried against, where they run.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The directory of tools that are not installed. */
export const peersDirectory: string = process.env["KILN_PEERS"] ?? "/tmp/peers";

/** The address of a docker engine that answers: that of the peers, or what DOCKER_HOST says. */
export function dockerEngineHere(): string | undefined {
  const socket = join(peersDirectory, "run/docker.sock");
  const address = existsSync(socket) ? `unix://${socket}` : process.env["DOCKER_HOST"];
  if (!address?.startsWith("unix://")) return undefined;
  const path = address.slice("unix://".length);
  const asked = spawnSync("curl", ["-sf", "-m", "5", "--unix-socket", path, "http://d/_ping"]);
  return asked.status === 0 ? address : undefined;
}
