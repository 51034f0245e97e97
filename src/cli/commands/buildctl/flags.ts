// The flags that every command of `kiln buildctl` takes, before or after its name: buildctl's global options.
import type { Flags } from "../../flags/index.ts";

export const buildctlFlags = {
  addr: {
    type: "string",
    value: "address",
    usage:
      "buildkitd address: unix://PATH, tcp://HOST:PORT, docker-container://NAME, docker://CONTEXT, embedded:// (default: $BUILDKIT_HOST, else unix:///run/buildkit/buildkitd.sock)",
  },
  daemonless: {
    type: "bool",
    usage:
      "Same as --addr embedded://: no daemon, the command does the work itself; $BUILDKITD_FLAGS are read",
  },
  "log-format": {
    type: "string",
    value: "json|text",
    default: "text",
    usage: "Log formatter: json or text",
  },
  timeout: {
    type: "int",
    value: "seconds",
    default: "5",
    usage: "Timeout backend connection after value seconds",
  },
  tlscacert: { type: "string", value: "file", usage: "CA certificate for validation" },
  tlscert: { type: "string", value: "file", usage: "Client certificate" },
  tlsdir: {
    type: "string",
    value: "dir",
    usage:
      "Directory containing CA certificate, client certificate, and client key. Supported file names are (ca.pem, cert.pem, key.pem) or (ca.crt, tls.crt, tls.key)",
  },
  tlskey: { type: "string", value: "file", usage: "Client key" },
  tlsservername: {
    type: "string",
    value: "name",
    usage: "buildkitd server name for certificate validation",
  },
  wait: { type: "bool", usage: "Block RPCs until the connection becomes available" },
} as const;

export type BuildctlFlags = typeof buildctlFlags;
export type BuildctlValues = Flags<BuildctlFlags>["values"];
