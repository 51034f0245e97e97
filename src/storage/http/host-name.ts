// Hosts as image names spell them: `docker.io`, `localhost:5000`, `[::1]:5000`.

/** Name and port of `host[:port]`; the port of a bare IPv6 address is not looked for. */
export function splitPort(host: string): { readonly name: string; readonly port?: string } {
  const match = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(host);
  return match ? { name: match[1] ?? "", port: match[2] ?? "" } : { name: host };
}

/** True for this machine itself: `localhost` and below, 127.0.0.0/8, ::1. Takes names with and without port. */
export function isLoopback(host: string): boolean {
  const name = splitPort(host)
    .name.replace(/^\[|\]$/g, "")
    .toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}
