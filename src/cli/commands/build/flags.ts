// The flags of `kiln build`: buildx's, all of them, with the same types and meanings.

export const buildFlags = {
  "add-host": { type: "stringSlice", value: "host:ip", usage: "Add a custom host-to-IP mapping" },
  allow: {
    type: "stringArray",
    value: "entitlement",
    usage: "Allow extra privileged entitlement (network.host, security.insecure)",
  },
  annotation: {
    type: "stringArray",
    value: "[type:]key=value",
    usage: "Add annotation to the image",
  },
  attest: {
    type: "stringArray",
    value: "type=...",
    usage: "Attestation parameters (format: type=sbom,generator=image)",
  },
  "build-arg": { type: "stringArray", value: "name=value", usage: "Set build-time variables" },
  "build-context": { type: "stringArray", value: "name=path", usage: "Additional build contexts" },
  "cache-from": {
    type: "stringArray",
    value: "source",
    usage: "External cache sources (user/app:cache, type=local,src=path/to/dir)",
  },
  "cache-to": {
    type: "stringArray",
    value: "dest",
    usage: "Cache export destinations (user/app:cache, type=local,dest=path/to/dir)",
  },
  call: {
    type: "string",
    value: "method",
    default: "build",
    usage: "Set method for evaluating build (check, outline, targets)",
  },
  "cgroup-parent": {
    type: "string",
    value: "path",
    usage: "Set the parent cgroup for the RUN instructions during build",
  },
  check: { type: "bool", usage: "Shorthand for --call=check" },
  "check-arch": {
    type: "string",
    value: "warn|error",
    alone: "error",
    usage: "Before exporting, name programs in the result that are for another processor",
  },
  compress: { type: "bool", usage: "Compress the build context", hidden: true },
  "cpu-period": { type: "int", usage: "Limit the CPU CFS period", hidden: true },
  "cpu-quota": { type: "int", usage: "Limit the CPU CFS quota", hidden: true },
  "cpu-shares": { type: "int", short: "c", usage: "CPU shares", hidden: true },
  "cpuset-cpus": { type: "string", usage: "CPUs in which to allow execution", hidden: true },
  "cpuset-mems": {
    type: "string",
    usage: "Memory nodes in which to allow execution",
    hidden: true,
  },
  "expect-cached": {
    type: "bool",
    usage: "Fail, and export nothing, when a step had to run",
  },
  explain: {
    type: "string",
    value: "text|json",
    alone: "text",
    usage: "Tell why steps were not cached: after the build as text, or as JSON on standard output",
  },
  file: {
    type: "string",
    short: "f",
    value: "path",
    usage: "Name of the Dockerfile (default: PATH/Dockerfile)",
  },
  "force-rm": { type: "bool", usage: "Always remove intermediate containers", hidden: true },
  iidfile: { type: "string", value: "path", usage: "Write the image ID to a file" },
  jobs: {
    type: "int",
    value: "number",
    usage:
      "Steps that run at once (default: $KILN_JOBS, else four for each processor, and more while they wait)",
  },
  "keep-going": {
    type: "bool",
    usage: "After a failure, do what does not depend on it, and tell all failures at the end",
  },
  label: { type: "stringArray", value: "key=value", usage: "Set metadata for an image" },
  load: { type: "bool", usage: "Shorthand for --output=type=docker" },
  memory: { type: "string", short: "m", usage: "Memory limit", hidden: true },
  "memory-swap": { type: "string", usage: "Swap limit", hidden: true },
  "metadata-file": {
    type: "string",
    value: "path",
    usage: "Write build result metadata to a file",
  },
  network: {
    type: "string",
    value: "mode",
    usage: "Set the networking mode for the RUN instructions: default, host or none",
  },
  "no-cache": { type: "bool", usage: "Do not use cache when building the image" },
  "no-cache-filter": {
    type: "stringArray",
    value: "stage",
    usage: "Do not cache specified stages: names, or numbers from 0",
  },
  output: {
    type: "stringArray",
    short: "o",
    value: "dest",
    usage: "Output destination (format: type=local,dest=path)",
  },
  plan: {
    type: "string",
    value: "text|json",
    alone: "text",
    usage: "Show what the build would do, for every stage and platform, and do nothing",
  },
  platform: {
    type: "stringArray",
    value: "os/arch",
    usage: "Set target platform for build; several, with commas, give one image name for all",
  },
  policy: {
    type: "stringArray",
    value: "filename=...",
    usage: "Source policy: a JSON file of rules, or a JavaScript module that decides",
  },
  print: {
    type: "string",
    usage: "Old spelling of --call",
    hidden: true,
    deprecated: "use --call",
  },
  progress: {
    type: "string",
    value: "mode",
    default: "auto",
    usage: "Set type of progress output (auto, none, plain, quiet, rawjson, tty)",
  },
  provenance: {
    type: "string",
    value: "bool|mode",
    usage: "Shorthand for --attest=type=provenance",
  },
  "proxy-network": {
    type: "bool",
    usage:
      "Let RUN instructions reach servers through Kiln's proxy alone, which applies source policies",
  },
  pull: { type: "bool", usage: "Always attempt to pull all referenced images" },
  push: { type: "bool", usage: "Shorthand for --output=type=registry,unpack=false" },
  quiet: {
    type: "bool",
    short: "q",
    usage: "Suppress the build output and print image ID on success",
  },
  resource: {
    type: "stringArray",
    value: "name=limit",
    usage: "Resource limits for build containers (memory=2g, cpu-quota=50000)",
  },
  rm: { type: "bool", default: "true", usage: "Remove intermediate containers", hidden: true },
  sbom: { type: "string", value: "bool|generator=...", usage: "Shorthand for --attest=type=sbom" },
  secret: {
    type: "stringArray",
    value: "id=...",
    usage: "Secret to expose to the build (format: id=mysecret[,src=/local/secret])",
  },
  "security-opt": { type: "stringArray", usage: "Security options", hidden: true },
  "shm-size": { type: "bytes", usage: "Shared memory size for build containers" },
  squash: { type: "bool", usage: "Squash newly built layers", hidden: true },
  ssh: {
    type: "stringArray",
    value: "id[=path]",
    usage: "SSH agent socket or keys to expose to the build",
  },
  tag: {
    type: "stringArray",
    short: "t",
    value: "name",
    usage: "Image identifier (format: [registry/]repository[:tag])",
  },
  target: { type: "string", value: "stage", usage: "Set the target build stage to build" },
  ulimit: { type: "stringArray", value: "name=soft[:hard]", usage: "Ulimit options" },
  verify: {
    type: "bool",
    usage:
      "Build once more from nothing, and fail with what differs where the image is not the same",
  },
} as const;

export type BuildFlags = typeof buildFlags;

/** Flags whose work the builder cannot do: giving one is refused, never ignored. With what to do instead. */
export const unsupportedFlags: Readonly<Partial<Record<keyof BuildFlags, string>>> = {};

/** Flags of `docker build` that mean nothing here; accepted so that old scripts go on working. */
export const ignoredFlags: readonly ("security-opt" | "squash")[] = ["security-opt", "squash"];

/** What buildx says of them. */
export const buildxRemovedFlags: Readonly<Record<"security-opt" | "squash", string>> = {
  "security-opt":
    'security-opt flag is deprecated. "RUN --security=insecure" should be used with BuildKit.',
  squash:
    "experimental flag squash is removed with BuildKit. You should squash inside build using a multi-stage Dockerfile for efficiency.",
};
