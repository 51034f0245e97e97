// What a daemon counts, for whoever watches it.

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
