// Flags of buildctl build.
import { type BuildctlFlags, buildctlFlags } from "./flags.ts";

const own = {
  allow: {
    type: "stringArray",
    value: "entitlement",
    usage: "Allow extra privileged entitlement, e.g. network.host, security.insecure",
  },
  "debug-json-cache-metrics": {
    type: "string",
    value: "stdout|stderr|FILE",
    usage: "Where to output json cache metrics",
  },
  "docker-config": {
    type: "string",
    value: "path",
    usage: "Credentials: docker's config.json, or the directory it is in (default: $DOCKER_CONFIG)",
  },
  "export-cache": {
    type: "stringArray",
    value: "type=TYPE[,KEY=VALUE]",
    usage:
      "Export build cache, e.g. type=registry,ref=example.com/foo/bar, or type=local,dest=path/to/dir",
  },
  "export-cache-opt": {
    type: "stringArray",
    value: "key=value",
    usage: "Define custom options for cache exporting",
    hidden: true,
    deprecated: "use --export-cache type=<type>,<opt>=<optval>[,<opt>=<optval>]",
  },
  exporter: {
    type: "string",
    value: "type",
    usage: "Define exporter for build result",
    hidden: true,
    deprecated: "use --output type=<type>[,<opt>=<optval>]",
  },
  "exporter-opt": {
    type: "stringArray",
    value: "key=value",
    usage: "Define custom options for exporter",
    hidden: true,
    deprecated: "use --output type=<type>[,<opt>=<optval>]",
  },
  frontend: { type: "string", value: "name", usage: "Define frontend used for build" },
  "frontend-opt": {
    type: "stringArray",
    value: "key=value",
    usage: "Define custom options for frontend",
    hidden: true,
    deprecated: "use --opt <opt>=<optval>",
  },
  "import-cache": {
    type: "stringArray",
    value: "type=TYPE[,KEY=VALUE]",
    usage:
      "Import build cache, e.g. type=registry,ref=example.com/foo/bar, or type=local,src=path/to/dir",
  },
  local: {
    type: "stringArray",
    value: "name=dir",
    usage: "Allow build access to the local directory",
  },
  "metadata-file": {
    type: "string",
    value: "file",
    usage: "Output build metadata (e.g., image digest) to a file as JSON",
  },
  "no-cache": { type: "bool", usage: "Disable cache for all the vertices" },
  "oci-layout": {
    type: "stringArray",
    value: "name=dir",
    usage: "Allow build access to the local OCI layout",
  },
  opt: {
    type: "stringArray",
    value: "key=value",
    usage:
      "Define custom options for frontend, e.g. --opt target=foo --opt build-arg:foo=bar; a build-arg without a value has the environment's",
  },
  output: {
    type: "stringArray",
    short: "o",
    value: "type=TYPE[,KEY=VALUE]",
    usage:
      "Define exports for build result, e.g. --output type=image,name=docker.io/username/image,push=true",
  },
  progress: {
    type: "string",
    value: "auto|plain|tty|rawjson",
    default: "auto",
    usage: "Set type of progress. Use plain to show container output",
  },
  "proxy-network": { type: "bool", usage: "Give steps the network through the daemon's proxy" },
  "ref-file": { type: "string", value: "file", usage: "Write build ref to a file" },
  "registry-auth-tlscontext": {
    type: "stringArray",
    value: "host=HOST,KEY=VALUE",
    usage:
      "Overwrite TLS configuration when authenticating with registries, e.g. host=https://myserver:2376,insecure=false,ca=/path/to/my/ca.crt,cert=/path/to/my/cert.crt,key=/path/to/my/key.crt",
  },
  secret: {
    type: "stringArray",
    value: "id=ID[,src=FILE][,env=NAME]",
    usage: "Secret value exposed to the build. Format id=secretname,src=filepath",
  },
  "source-policy-file": {
    type: "string",
    value: "file",
    usage: "Read source policy file from a JSON file",
  },
  ssh: {
    type: "stringArray",
    value: "default|ID[=SOCKET[,raw=false]|KEY[,KEY]]",
    usage: "Allow forwarding SSH agent or a raw Unix socket to the builder",
  },
  trace: { type: "string", value: "file", usage: "Path to trace file. Defaults to no tracing" },
} as const;

export const buildFlags: BuildctlFlags & typeof own = { ...buildctlFlags, ...own };
