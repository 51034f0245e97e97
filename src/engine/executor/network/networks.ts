// Which network a step gets: one of its own with a way out where the machine can do that, none, or the machine's.
import { readFileSync } from "node:fs";
import { AsyncStack, KilnError, unreachable } from "../../../base/index.ts";
import type { ProcessSpec } from "../executor.ts";
import type { SpecSetting } from "../oci-spec.ts";
import { type DnsSettings, withDns } from "./dns.ts";
import { ProxiedNetworks } from "./proxied-networks.ts";
import { openStepNetworks, type StepNetworks } from "./step-networks.ts";

/**
 * What `network: "default"` means: a network of the step's own or the machine's; `auto` takes the first that works. The names of
 * carriers stand for a sandbox by that one alone.
 */
export const networkModes = ["auto", "sandbox", "slirp4netns", "pasta", "host"] as const;
export type NetworkMode = (typeof networkModes)[number];

/** The network of one step; dispose it when the step's processes are gone. */
export type Network = StepSurroundings & (Disposable | AsyncDisposable);

export interface StepSurroundings {
  readonly setting: SpecSetting["network"];
  /** The text of /etc/resolv.conf. */
  readonly resolver: string;
  /** What `host-gateway` stands for: the machine, as the step sees it. Undefined where it cannot be seen. */
  readonly gateway: string | undefined;
}

export class Networks implements AsyncDisposable {
  readonly #mode: NetworkMode;
  readonly #directory: string;
  readonly #openNetworks: (directory: string) => Promise<StepNetworks>;
  readonly #dns: DnsSettings | undefined;
  readonly #owned = new AsyncStack();
  readonly #proxied: ProxiedNetworks;
  #opened: Promise<StepNetworks | undefined> | undefined;
  /** For the first step that gets a network. */
  #warnings: string[] = [];

  /** `directory`: in this process's private mount namespace. */
  constructor(
    mode: NetworkMode,
    directory: string,
    openNetworks: (directory: string) => Promise<StepNetworks> = openStepNetworks,
    dns?: DnsSettings,
  ) {
    this.#mode = mode;
    this.#dns = dns;
    this.#directory = directory;
    this.#openNetworks = openNetworks;
    this.#proxied = this.#owned.use(new ProxiedNetworks(directory));
  }

  /** Makes what the first step with such a network would wait for; what fails of it fails again in `lend`. */
  prepare(network: ProcessSpec["network"]): void {
    if (network === "default") this.#open().catch(() => {});
  }

  /**
   * `warn` is told, once, that steps share the machine's network though it was not asked for. Throws `NETWORK_FAILED` where
   * they must not.
   */
  async lend(process: ProcessSpec, warn: (message: string) => void): Promise<Network> {
    const lent = await this.#lend(process, warn);
    if (process.proxy) return await this.#proxied.lend(process.proxy, process, lent);
    return process.network === "none"
      ? lent
      : { ...lent, resolver: withDns(lent.resolver, this.#dns) };
  }

  async #lend(
    process: ProcessSpec,
    warn: (message: string) => void,
  ): Promise<StepSurroundings & Disposable> {
    switch (process.network) {
      case "none":
        return { ...machine("none"), setting: { type: "new" }, gateway: undefined };
      case "host":
        return machine("host");
      case "default": {
        const networks = await this.#open();
        for (const warning of this.#warnings.splice(0)) warn(warning);
        if (networks === undefined) return machine("host");
        const {
          path,
          gateway,
          [Symbol.dispose]: dispose,
        } = await networks.lend({
          // Behind a proxy it is the proxy's, not the step's.
          spoil: process.security === "insecure" && process.proxy === undefined,
        });
        const setting = { type: "join", path } as const;
        return { setting, resolver: networks.resolver.text, gateway, [Symbol.dispose]: dispose };
      }
      default:
        return unreachable(process.network);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.catch(() => {});
    await this.#owned[Symbol.asyncDispose]();
  }

  #open(): Promise<StepNetworks | undefined> {
    this.#opened ??= this.#tryOpen();
    return this.#opened;
  }

  async #tryOpen(): Promise<StepNetworks | undefined> {
    if (this.#mode === "host") return undefined;
    try {
      const networks = this.#owned.use(await this.#openNetworks(this.#directory));
      if (networks.resolver.isFallback)
        this.#warnings.push(
          "the machine names no name server that a step could reach: steps ask 8.8.8.8 and 8.8.4.4",
        );
      return networks;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      if (this.#mode === "auto") {
        this.#warnings.push(
          `steps share the machine's network, since this machine gives them none of their own: ${why}`,
        );
        return undefined;
      }
      throw new KilnError(
        "NETWORK_FAILED",
        `a step cannot have a network of its own here: ${why}`,
        {
          cause,
          hint: "Leave KILN_NETWORK unset to let steps share the machine's network.",
        },
      );
    }
  }
}

/** What the machine says itself. */
function machine(kind: "host" | "none"): StepSurroundings & Disposable {
  return {
    setting: { type: "host" },
    resolver: readHostFile("/etc/resolv.conf"),
    gateway: kind === "host" ? "127.0.0.1" : undefined,
    [Symbol.dispose]: () => {},
  };
}

/** The text of one of the machine's files; empty where it has none. */
export function readHostFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A machine without one resolves names as programs do by default; so does the step.
    return "";
  }
}
