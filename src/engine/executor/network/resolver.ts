// The name servers of a step: the machine's own, as far as they can be reached from a network of its own.

/** Where systemd keeps the servers that its own stub at 127.0.0.53 asks. */
export const systemdResolvers = "/run/systemd/resolve/resolv.conf";

/** What the reference falls back on when the machine names no server that a step could reach. */
const publicServers = ["8.8.8.8", "8.8.4.4"] as const;

export interface StepResolver {
  /** Of /etc/resolv.conf. */
  readonly text: string;
  /** Servers in 169.254.0.0/16, as some clouds have them. */
  readonly linkLocal: readonly string[];
  /** The machine's servers cannot be reached, so public ones are asked. */
  readonly isFallback: boolean;
}

/**
 * `text` is the machine's resolv.conf; `systemd` that of systemd-resolved, taken where the first names only its stub. Servers
 * on loopback and IPv6 ones are left out: a step's network leads to neither.
 */
export function stepResolver(text: string, systemd: string | undefined): StepResolver {
  const named = servers(text);
  const stub = named.length > 0 && named.every((one) => one === "127.0.0.53");
  const chosen = stub && systemd !== undefined ? systemd : text;
  const reachable = servers(chosen).filter(isReachable);
  const isFallback = reachable.length === 0;
  const used = isFallback ? publicServers : reachable;
  const rest = chosen
    .split("\n")
    .filter((line) => /^\s*(search|options|domain|sortlist)\s/.test(line));
  const lines = [...used.map((one) => `nameserver ${one}`), ...rest.map((line) => line.trim())];
  return {
    text: `${lines.join("\n")}\n`,
    linkLocal: used.filter((one) => one.startsWith("169.254.")),
    isFallback,
  };
}

function servers(text: string): readonly string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, server = ""]) => server);
}

function isReachable(server: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(server) && !server.startsWith("127.");
}
