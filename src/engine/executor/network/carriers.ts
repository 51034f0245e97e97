// Programs that carry the packets of a network namespace over a user's ordinary sockets, which needs no rights.

/** A network of four addresses that all of them offer, as slirp4netns names them by itself. */
const gateway = "10.0.2.2";
/** Asks the machine's name servers. */
export const carriedNameServer = "10.0.2.3";
const address = "10.0.2.100";
const mtu = "65520";

export interface Carrier {
  readonly name: "slirp4netns" | "pasta";
  /** Of Debian and most others. */
  readonly packageName: string;
  /**
   * What it is called with, for the namespace mounted at `path`. It writes to `ready` when packets pass: its descriptor 3, or a
   * file that is not there before.
   */
  words(path: string, ready: string): readonly string[];
  readonly ready: "descriptor" | "file";
}

/** The best first: slirp4netns attaches in half the time that Debian 12's pasta takes, and passes on twice as much. */
export const carriers: readonly Carrier[] = [
  {
    name: "slirp4netns",
    packageName: "slirp4netns",
    ready: "descriptor",
    // The machine's loopback holds what listens to nobody else.
    words: (path) => [
      ...["--configure", `--mtu=${mtu}`, "--disable-host-loopback", "--ready-fd=3"],
      ...["--netns-type=path", path, "eth0"],
    ],
  },
  {
    name: "pasta",
    packageName: "passt",
    ready: "file",
    // By itself it lends the namespace the machine's loopback and addresses; Debian 12's has no option against routes, but a
    // gateway that is named brings none.
    words: (path, ready) => [
      ...["--foreground", "--quiet", "--config-net", "--ipv4-only", "--no-map-gw"],
      ...["--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"],
      ...["--ns-ifname", "eth0", "--address", address, "--netmask", "24", "--gateway", gateway],
      ...["--dns-forward", carriedNameServer, "--mtu", mtu, "--pid", ready],
      ...["--netns-only", "--netns", path],
    ],
  },
];
