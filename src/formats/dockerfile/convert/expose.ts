// EXPOSE: ports that a container listens on.
import type { LineRange } from "../ast.ts";
import type { ExposeInstruction } from "../instructions/index.ts";
import { exposeInvalidFormat } from "../lint/expose-invalid-format.ts";
import { exposeProtoCasing } from "../lint/expose-proto-casing.ts";
import type { Linter } from "../lint/linter.ts";
import type { Converter } from "./environment.ts";
import { goList } from "./go-format.ts";
import { dockerfileError } from "./problem.ts";

export const convertExpose: Converter<ExposeInstruction> = (stage, expose, env) => {
  // BuildKit does not warn here of variables that nothing defines.
  const words = expose.ports.flatMap((port) => env.expandList(port, stage.files.variables));
  const ports: string[] = [];
  for (const word of words) {
    ports.push(...portsOf(word, expose.lines, env.linter));
    if (ports.length > MAX_PORTS)
      throw dockerfileError(`EXPOSE lists more than ${MAX_PORTS} ports`);
  }
  const exposed = Object.fromEntries(ports.map((port) => [port, {}]));
  stage.config.ExposedPorts = { ...stage.config.ExposedPorts, ...exposed };
  stage.record(`EXPOSE ${goList(ports)}`, false);
};

const LAST_PORT = 65535;
/** Most ports of one instruction: three times all there are. */
const MAX_PORTS = 3 * LAST_PORT;

/** `[[ip:]hostPort:]port[-port][/protocol]` as `port/protocol` each; what stands before the last colon means nothing. */
function portsOf(word: string, lines: LineRange, linter: Linter): readonly string[] {
  const parts = word.split(":");
  const container = parts.pop() ?? "";
  const host = parts.pop();
  checkAddress(parts.join(":"));
  if (host !== undefined) linter.warn(exposeInvalidFormat, lines, word);
  const slash = container.indexOf("/");
  const range = slash === -1 ? container : container.slice(0, slash);
  const protocol = slash === -1 ? "" : container.slice(slash + 1);
  if (range === "") throw dockerfileError(`no port specified: ${container}<empty>`);
  if (protocol !== protocol.toLowerCase()) linter.warn(exposeProtoCasing, lines, word);
  const [start, end] = portRange(range, "containerPort");
  if (host !== undefined && host !== "") checkHostPorts(host, end - start, range);
  const kind = protocolOf(protocol);
  return Array.from({ length: end - start + 1 }, (_, n) => `${start + n}/${kind}`);
}

function protocolOf(protocol: string): string {
  const lower = protocol.toLowerCase();
  if (lower === "") return "tcp";
  if (["tcp", "udp", "sctp"].includes(lower)) return lower;
  throw dockerfileError(`invalid proto: ${lower}`, "Use tcp, udp or sctp.");
}

function portRange(range: string, what: string): readonly [start: number, end: number] {
  const [first = "", second = first, ...more] = range.split("-");
  const [start, end] = [first, second].map((port) =>
    /^[0-9]+$/.test(port) ? Number(port) : Number.NaN,
  );
  const fits =
    start !== undefined &&
    end !== undefined &&
    start <= end &&
    end <= LAST_PORT &&
    more.length === 0;
  if (!fits)
    throw dockerfileError(
      `invalid ${what}: ${range}`,
      "Write a port such as 8080, or a range such as 8000-8010.",
    );
  return [start, end];
}

function checkHostPorts(host: string, length: number, range: string): void {
  const [start, end] = portRange(host, "hostPort");
  if (length !== 0 && end - start !== length) {
    throw dockerfileError(
      `invalid ranges specified for container and host Ports: ${range} and ${host}`,
    );
  }
}

function checkAddress(address: string): void {
  const bare = address.startsWith("[") && address.endsWith("]") ? address.slice(1, -1) : address;
  if (bare !== "" && !isAddress(bare)) throw dockerfileError(`invalid IP address: ${address}`);
}

/** Near enough for a value that is thrown away: four numbers, or hexadecimal groups. */
function isAddress(text: string): boolean {
  const numbers = text.split(".");
  const ip4 =
    numbers.length === 4 &&
    numbers.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) < 256);
  return ip4 || (/^[0-9a-fA-F:.]+$/.test(text) && text.split(":").length > 2);
}
