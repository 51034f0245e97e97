// --add-host and --ulimit: what RUN steps see of hosts and limits (X-45, F-84).
import { invalidValue } from "./values.ts";

/** Reads `HOST:IP`, `HOST=IP`, IPv6 bare or in brackets; gives BuildKit's `host=ip` list. */
export function parseExtraHosts(values: readonly string[]): readonly string[] {
  return values.map((value) => {
    const at = value.search(/[:=]/);
    const host = at === -1 ? "" : value.slice(0, at);
    const address = at === -1 ? "" : value.slice(at + 1).replace(/^\[(.*)\]$/, "$1");
    if (host === "") throw invalidValue("--add-host", value, "expected host:ip");
    // Which address that is depends on the step's network: the executor knows.
    if (address !== "host-gateway" && !isAddress(address))
      throw invalidValue("--add-host", value, `${JSON.stringify(address)} is no IP address`);
    return `${host}=${address}`;
  });
}

const byte = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)";
const ipv4 = new RegExp(`^(?:${byte}\\.){3}${byte}$`);

function isAddress(text: string): boolean {
  // The URL parser knows all spellings of IPv6, and no host name has a colon.
  return ipv4.test(text) || (text.includes(":") && URL.canParse(`http://[${text}]/`));
}

const ulimitNames = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  ),
);

/** Reads `NAME=SOFT[:HARD]`; gives the same with both limits, -1 for none. */
export function parseUlimits(values: readonly string[]): readonly string[] {
  return values.map((value) => {
    const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(value);
    if (!match?.[1]) throw invalidValue("--ulimit", value, "expected name=soft[:hard]");
    if (!ulimitNames.has(match[1]))
      throw invalidValue("--ulimit", value, `unknown limit ${JSON.stringify(match[1])}`);
    const soft = Number(match[2]);
    const hard = Number(match[3] ?? match[2]);
    if (hard !== -1 && (soft > hard || soft === -1))
      throw invalidValue("--ulimit", value, "the soft limit is above the hard one");
    return `${match[1]}=${soft}:${hard}`;
  });
}
