// Where buildctl's daemon is, and how a connection to it is opened.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Duplex } from "node:stream";
import { type Call, KilnError } from "../../../base/index.ts";
import {
  connectRemote,
  type Driver,
  openNode,
  type RemoteTls,
} from "../../../remote/driver/index.ts";
import { bootNodes } from "../builders/builder-boot.ts";
import { openKnownBuilders } from "../builders/known-builders.ts";
import type { RunWorld } from "../command.ts";
import type { BuildctlValues } from "./flags.ts";

/** The address that stands for the engine in this process. */
export const embeddedAddress = "embedded://";

/** A daemon that runs somewhere. */
export interface Dial {
  connect(call: Call): Promise<Duplex>;
  readonly connectSession?: NonNullable<Driver["connectSession"]>;
}

/** `--addr`, `--daemonless`, `--builder`, BUILDKIT_HOST, else the daemon's usual socket, in this order. */
export function addressOf(values: BuildctlValues, world: RunWorld): string {
  const { env, globals } = world;
  if (values.daemonless && values.addr !== "" && values.addr !== embeddedAddress)
    throw new KilnError("FLAG_INVALID", "--daemonless and --addr contradict each other");
  if (values.daemonless) return embeddedAddress;
  if (values.addr !== "") return values.addr;
  if (globals.builder !== "") return `builder://${globals.builder}`;
  return env["BUILDKIT_HOST"] || usualAddress(world);
}

/**
 * Gets the process to where the engine may build, if that is what is meant. May start it anew: nothing may have been read
 * from standard input before.
 */
export function enterEmbedded(values: BuildctlValues, world: RunWorld): void {
  if (addressOf(values, world) === embeddedAddress) world.enter?.(world.globals.isolation);
}

/** Root's daemon is in /run; anybody else's is below XDG_RUNTIME_DIR. */
function usualAddress({ env }: RunWorld): string {
  const runtime = process.geteuid?.() === 0 ? undefined : env["XDG_RUNTIME_DIR"];
  return `unix://${runtime || "/run"}/buildkit/buildkitd.sock`;
}

/** How to reach the daemon at an address that is not `embedded://`. Throws `BUILDER_INVALID` for what is no address. */
export async function dialOf(
  address: string,
  values: BuildctlValues,
  world: RunWorld,
): Promise<Dial> {
  const tls = tlsOf(values, world.cwd);
  const known = await openKnownBuilders(world);
  const scheme = address.slice(0, address.indexOf("://") + 3);
  const name = address.slice(scheme.length);
  if (scheme === "builder://") {
    const builder = known.find(name);
    const [node] = builder.nodes;
    if (!node) throw new KilnError("BUILDER_INVALID", `builder ${name} has no nodes`);
    await bootNodes({ ...builder, nodes: [node] }, known, values.timeout * 1000, world);
    return openNode(builder, node, known.drivers);
  }
  if (scheme === "docker://") {
    const endpoint = name || known.contexts.current;
    const node = { name, endpoint, platforms: [], driverOpts: {}, flags: [], files: {} };
    return openNode({ driver: "docker", nodes: [node] }, node, known.drivers);
  }
  return { connect: (call) => connectRemote(address, tls, known.drivers, call) };
}

function tlsOf(values: BuildctlValues, cwd: string): RemoteTls | undefined {
  const { tlsdir, tlscacert, tlscert, tlskey, tlsservername } = values;
  const serverName = tlsservername === "" ? {} : { serverName: tlsservername };
  if (tlsdir !== "") {
    if (tlscacert !== "" || tlscert !== "" || tlskey !== "") {
      throw new KilnError(
        "FLAG_INVALID",
        "cannot specify tlsdir and tlscacert/tlscert/tlskey at the same time",
      );
    }
    return { ...filesOf(resolve(cwd, tlsdir)), ...serverName };
  }
  if (tlscacert === "" && tlscert === "" && tlskey === "") return undefined;
  if ((tlscert === "") !== (tlskey === ""))
    throw new KilnError("FLAG_INVALID", "--tlscert and --tlskey are given together or not at all");
  const part = (key: "ca" | "cert" | "key", file: string) =>
    file === "" ? {} : { [key]: resolve(cwd, file) };
  return {
    ...part("ca", tlscacert),
    ...part("cert", tlscert),
    ...part("key", tlskey),
    ...serverName,
  };
}

const fileNames = [
  ["ca.pem", "cert.pem", "key.pem"],
  ["ca.crt", "tls.crt", "tls.key"],
] as const;

function filesOf(directory: string): RemoteTls {
  const found = fileNames.find((names) => names.every((name) => existsSync(join(directory, name))));
  if (!found) {
    throw new KilnError("FLAG_INVALID", `${directory} does not hold the files of --tlsdir`, {
      hint: `It needs ${fileNames.map((names) => names.join(", ")).join(", or ")}.`,
    });
  }
  const [ca, cert, key] = found.map((name) => join(directory, name));
  return { ca: ca ?? "", cert: cert ?? "", key: key ?? "" };
}
