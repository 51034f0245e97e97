// The flags of `kiln bake`: buildx's, with the same types and meanings, and Kiln's own for builds.

export const bakeFlags = {
  allow: {
    type: "stringArray",
    value: "entitlement",
    usage: "Allow build to access specified resources",
  },
  call: {
    type: "string",
    value: "method",
    default: "build",
    usage: 'Set method for evaluating build ("check", "outline", "targets")',
  },
  check: { type: "bool", usage: 'Shorthand for "--call=check"' },
  file: { type: "stringArray", short: "f", value: "path", usage: "Build definition file" },
  jobs: {
    type: "int",
    value: "number",
    usage:
      "Steps that run at once (default: $KILN_JOBS, else four for each processor and more while they wait, or one for each target)",
  },
  list: { type: "string", value: "what", usage: "List targets or variables" },
  "list-targets": {
    type: "bool",
    usage: "List available targets",
    hidden: true,
    deprecated: "use --list=targets",
  },
  "list-variables": {
    type: "bool",
    usage: "List defined variables",
    hidden: true,
    deprecated: "use --list=variables",
  },
  load: {
    type: "bool",
    usage: 'Shorthand for "--set=*.output=type=docker". Conditional.',
  },
  "metadata-file": {
    type: "string",
    value: "path",
    usage: "Write build result metadata to a file",
  },
  "no-cache": { type: "bool", usage: "Do not use cache when building the image" },
  print: { type: "bool", usage: "Print the options without building" },
  progress: {
    type: "string",
    value: "mode",
    default: "auto",
    usage: "Set type of progress output (auto, none, plain, quiet, rawjson, tty)",
  },
  provenance: {
    type: "string",
    value: "bool|mode",
    usage: 'Shorthand for "--set=*.attest=type=provenance"',
  },
  "proxy-network": {
    type: "bool",
    usage:
      "Let RUN instructions reach servers through Kiln's proxy alone, which applies source policies",
  },
  pull: { type: "bool", usage: "Always attempt to pull all referenced images" },
  push: {
    type: "bool",
    usage: 'Shorthand for "--set=*.output=type=registry". Conditional.',
  },
  sbom: {
    type: "string",
    value: "bool|generator=...",
    usage: 'Shorthand for "--set=*.attest=type=sbom"',
  },
  set: {
    type: "stringArray",
    value: "target.key=value",
    usage: 'Override target value (e.g., "targetpattern.key=value")',
  },
  var: { type: "stringArray", value: "name=value", usage: "Set a variable value" },
} as const;

export type BakeFlags = typeof bakeFlags;
