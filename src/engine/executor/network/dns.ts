// Name servers that a user names for all steps, in the place of the machine's own.

/** What is empty or absent stays as the machine has it. */
export interface DnsSettings {
  readonly nameservers?: readonly string[];
  /** Such as `ndots:0`. */
  readonly options?: readonly string[];
  readonly searchDomains?: readonly string[];
}

/** The text of resolv.conf with the settings in it. */
export function withDns(text: string, dns: DnsSettings | undefined): string {
  const { nameservers = [], options = [], searchDomains = [] } = dns ?? {};
  const replaced = [
    ...(nameservers.length > 0 ? ["nameserver"] : []),
    ...(options.length > 0 ? ["options"] : []),
    ...(searchDomains.length > 0 ? ["search", "domain"] : []),
  ];
  if (replaced.length === 0) return text;
  const kept = text
    .split("\n")
    .filter((line) => line !== "" && !replaced.includes(line.trim().split(/\s/)[0] ?? ""));
  const lines = [
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(searchDomains.length > 0 ? [`search ${searchDomains.join(" ")}`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
  ];
  return `${[...lines, ...kept].join("\n")}\n`;
}
