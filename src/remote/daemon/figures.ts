// What a daemon counts, and how it is told over HTTP to whoever watches it (--debugaddr).
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KilnError } from "../../base/index.ts";

/** Counts of one daemon, from its start. */
export class Figures {
  /** Connections that are open. */
  connections = 0;
  /** Sessions that are open. */
  sessions = 0;
  /** Builds that run. */
  builds = 0;
  /** Builds that have ended, by their outcome. */
  readonly ended: Record<"succeeded" | "failed" | "cancelled", number> = {
    succeeded: 0,
    failed: 0,
    cancelled: 0,
  };
}

export interface FiguresServer extends AsyncDisposable {
  /** Host and port. */
  readonly address: string;
}

/** Serves `/debug/vars` and `/metrics`. `address` is `HOST:PORT`. Throws `FLAG_INVALID`. */
export async function serveFigures(address: string, figures: Figures): Promise<FiguresServer> {
  const place = /^(?:tcp:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(address);
  const port = Number(place?.[2]);
  if (!place || port > 65_535)
    throw new KilnError("FLAG_INVALID", `--debugaddr must be HOST:PORT, not ${address}`);
  const server = createServer((request, response) => {
    answer(request.url ?? "/", figures, response);
  });
  // Whoever watches is in no hurry, and not trusted to be.
  server.maxConnections = 64;
  server.requestTimeout = 10_000;
  const host = (place[1] ?? "").replace(/^\[|\]$/g, "");
  await started(server, port, host, address);
  const found = server.address() as AddressInfo;
  return {
    address: `${host || found.address}:${found.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function started(server: Server, port: number, host: string, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new KilnError("FLAG_INVALID", `cannot listen on ${address}: ${cause.message}`));
    });
    server.listen({ port, ...(host === "" ? {} : { host }) }, resolve);
  });
}

function answer(url: string, figures: Figures, response: ServerResponse): void {
  const path = url.replace(/\?.*$/s, "");
  if (path === "/debug/vars") {
    const memstats = process.memoryUsage();
    const kiln = { ...figures, uptime: process.uptime() };
    response.setHeader("content-type", "application/json; charset=utf-8");
    response.end(`${JSON.stringify({ cmdline: process.argv, memstats, kiln }, undefined, 1)}\n`);
  } else if (path === "/metrics") {
    response.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8");
    response.end(metrics(figures));
  } else {
    response.statusCode = 404;
    response.end("there are /debug/vars and /metrics\n");
  }
}

/** In Prometheus' text format. */
export function metrics({ connections, sessions, builds, ended }: Figures): string {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const one = (name: string, type: "gauge" | "counter", help: string, value: number | string) =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${typeof value === "number" ? `${name} ${value}\n` : value}`;
  const outcomes = Object.entries(ended)
    .map(([outcome, count]) => `kiln_builds_total{outcome="${outcome}"} ${count}\n`)
    .join("");
  return [
    one("kiln_connections", "gauge", "Connections that are open.", connections),
    one("kiln_sessions", "gauge", "Sessions that are open.", sessions),
    one("kiln_builds_running", "gauge", "Builds that run.", builds),
    one("kiln_builds_total", "counter", "Builds that have ended, by outcome.", outcomes),
    one("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", rss),
    one("nodejs_heap_size_used_bytes", "gauge", "Heap in use in bytes.", heapUsed),
    one(
      "process_cpu_seconds_total",
      "counter",
      "User and system CPU time spent in seconds.",
      (user + system) / 1e6,
    ),
    one("process_start_time_seconds", "gauge", "Start time since 1970 in seconds.", startTime()),
  ].join("");
}

function startTime(): number {
  return Math.round(performance.timeOrigin / 1000);
}
