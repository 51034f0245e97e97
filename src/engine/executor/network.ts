// What a step knows of names: its hosts file.

/** The host name of every step, as the reference has it. */
export const defaultHostname = "buildkitsandbox";

/** The text of /etc/hosts: loopback, the step's own name, and what the build adds (`ADDRESS NAME` a line). */
export function hostsFile(
  hostname: string,
  extra: readonly { readonly host: string; readonly ip: string }[],
): string {
  const lines = [
    `127.0.0.1\tlocalhost ${hostname}`,
    "::1\tlocalhost ip6-localhost ip6-loopback",
    ...extra.map(({ host, ip }) => `${ip}\t${host}`),
  ];
  return `${lines.join("\n")}\n`;
}
