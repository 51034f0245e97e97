// Which addresses steps get: ones that the machine does not use otherwise.

/** First two numbers of the networks to choose from; one that little else is known to use comes first. */
const candidates = ["10.213", "172.30", "10.137", "192.168"] as const;

export interface Route {
  readonly interface: string;
  readonly destination: number;
  readonly mask: number;
}

/** The routes of /proc/net/route, whose numbers are addresses as the machine keeps them in memory (little-endian here). */
export function parseRoutes(text: string): readonly Route[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 8)
    .map((fields) => ({
      interface: fields[0] ?? "",
      destination: swapped(fields[1] ?? ""),
      mask: swapped(fields[7] ?? ""),
    }));
}

/** The interface that leads to everywhere; undefined where nothing does. */
export function defaultInterface(routes: readonly Route[]): string | undefined {
  return routes.find(({ mask }) => mask === 0)?.interface;
}

/** The first two numbers of a network for steps, such as `10.213`: the first that meets no route but those to steps. */
export function chooseNetwork(routes: readonly Route[], stepInterface: string): string {
  const others = routes.filter(
    (route) => route.mask !== 0 && !route.interface.startsWith(stepInterface),
  );
  const free = candidates.find((network) => {
    const start = numberOf(`${network}.0.0`);
    return others.every(({ destination, mask }) => {
      const common = (mask & 0xffff0000) >>> 0;
      return (start & common) >>> 0 !== (destination & common) >>> 0;
    });
  });
  return free ?? candidates[0];
}

/** The two ends of a link to a step. */
export interface LinkAddresses {
  /** The machine's end; the step's way out. */
  readonly gateway: string;
  readonly address: string;
  readonly prefix: 30;
}

/** The first pair of `network` that no route leads to. Throws when all 16,384 are taken. */
export function chooseLink(routes: readonly Route[], network: string): LinkAddresses {
  const taken = new Set(routes.map(({ destination }) => destination));
  const start = numberOf(`${network}.0.0`);
  for (let base = start; base < start + 0x10000; base += 4) {
    if (!taken.has(base)) {
      return { gateway: textOf(base + 1), address: textOf(base + 2), prefix: 30 };
    }
  }
  throw new Error(`every address of ${network}.0.0/16 is taken`);
}

function swapped(hex: string): number {
  const value = Number.parseInt(hex, 16);
  const bytes = new Uint8Array(new Uint32Array([value]).buffer);
  return new DataView(bytes.buffer).getUint32(0);
}

function numberOf(address: string): number {
  return new DataView(Uint8Array.from(address.split(".").map(Number)).buffer).getUint32(0);
}

function textOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}
