// What a step knows of names: its hosts file.
import { KilnError } from "../../../base/index.ts";

/** The host name of every step, as the reference has it. */
export const defaultHostname = "buildkitsandbox";

export interface ExtraHost {
  readonly host: string;
  readonly ip: string;
}

/** The address that stands for the machine, whatever it is in the step's network. */
export const hostGateway = "host-gateway";

/** Throws `UNSUPPORTED` where the machine is wanted and cannot be reached. */
export function resolveGateway(
  hosts: readonly ExtraHost[],
  gateway: string | undefined,
): readonly ExtraHost[] {
  return hosts.map((one) => {
    if (one.ip !== hostGateway) return one;
    if (gateway !== undefined) return { ...one, ip: gateway };
    throw new KilnError(
      "UNSUPPORTED",
      `${one.host} is to be the machine (${hostGateway}), which a step without a network cannot reach`,
      { hint: "Use another --network for the step, or leave the host out." },
    );
  });
}

/** The text of /etc/hosts: loopback, the step's own name, and what the build adds (`ADDRESS NAME` a line). */
export function hostsFile(hostname: string, extra: readonly ExtraHost[]): string {
  const lines = [
    `127.0.0.1\tlocalhost ${hostname}`,
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...extra.map(({ host, ip }) => `${ip}\t${host}`),
  ];
  return `${lines.join("\n")}\n`;
}
