// The networks of all steps of this process: made when first needed, used again, never by two steps at once.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AsyncStack, log } from "../../../base/index.ts";
import { chooseNetwork, defaultInterface, parseRoutes } from "./addresses.ts";
import { openFirewall, stepInterface } from "./firewall.ts";
import { openForwarding } from "./forwarding.ts";
import { type StepResolver, stepResolver, systemdResolvers } from "./resolver.ts";
import { openStepNetwork, type StepNetwork } from "./step-network.ts";

const debug = log("executor");

/** A network lent to one step. */
export interface LentNetwork extends Disposable {
  readonly path: string;
  readonly gateway: string;
}

export interface StepNetworks extends AsyncDisposable {
  readonly resolver: StepResolver;
  /** `spoil`: the step may change what it gets, so nobody gets it afterwards. */
  lend(options: { readonly spoil: boolean }): LentNetwork | Promise<LentNetwork>;
}

/**
 * Prepares networks with a way out through the machine's own address, and tries one. Rejects, with the reason in words,
 * where this machine cannot do that. `directory` is in this process's private mount namespace.
 */
export async function openStepNetworks(directory: string): Promise<StepNetworks> {
  await using opening = new AsyncStack();
  const routes = parseRoutes(readFileSync("/proc/net/route", "utf8"));
  const addresses = chooseNetwork(routes, stepInterface);
  const systemd = existsSync(systemdResolvers) ? readFileSync(systemdResolvers, "utf8") : undefined;
  const resolver = stepResolver(read("/etc/resolv.conf"), systemd);
  const outward = defaultInterface(routes);
  const { linkLocal } = resolver;
  opening.use(
    openFirewall({ name: `kiln-${process.pid}`, addresses, linkLocalResolvers: linkLocal }),
  );
  if (outward !== undefined) {
    const iptables = ["/usr/sbin/iptables", "/sbin/iptables", "/usr/bin/iptables"].find(existsSync);
    const forwarding = await openForwarding({ interface: outward, stepInterface, iptables });
    if (forwarding) opening.use(forwarding);
  }
  const mtu = Number(read(`/sys/class/net/${outward}/mtu`)) || 1500;
  const free: StepNetwork[] = [];
  opening.defer(() => {
    for (const network of free) network[Symbol.dispose]();
  });
  let made = 0;
  const make = () => {
    const began = performance.now();
    const number = ++made;
    const network = openStepNetwork({
      directory: join(directory, "networks"),
      number,
      addresses,
      mtu,
      linkLocalResolvers: linkLocal,
    });
    debug.debug("network made", { number, ms: performance.now() - began });
    return network;
  };
  free.push(make());
  const owned = opening.move();
  let open = true;
  return {
    resolver,
    lend({ spoil }) {
      const network = free.pop() ?? make();
      const { path, gateway } = network;
      return {
        path,
        gateway,
        [Symbol.dispose]: () => {
          if (spoil || !open) network[Symbol.dispose]();
          else free.push(network);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      open = false;
      await owned[Symbol.asyncDispose]();
    },
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
