// The sub-request `frontend.subrequests.describe`: which sub-requests there are.

/** One sub-request, as BuildKit's clients expect it. */
export interface RequestDescription {
  readonly name: string;
  readonly version: string;
  readonly type: "rpc";
  readonly description: string;
  readonly opts?: readonly { readonly name: string; readonly description: string }[];
  /** What the answer has. */
  readonly metadata: readonly { readonly name: string }[];
}

const json = { name: "result.json" };
const text = { name: "result.txt" };

/** Every sub-request that the Dockerfile frontend answers. */
export const requestDescriptions: readonly RequestDescription[] = [
  {
    name: "frontend.outline",
    version: "1.0.0",
    type: "rpc",
    description: "List all parameters current build target supports",
    opts: [{ name: "target", description: "Target build stage" }],
    metadata: [json, text],
  },
  {
    name: "frontend.targets",
    version: "1.0.0",
    type: "rpc",
    description: "List all targets current build supports",
    metadata: [json, text],
  },
  {
    name: "frontend.lint",
    version: "1.0.0",
    type: "rpc",
    description: "Lint a Dockerfile",
    metadata: [json, text, { name: "result.statuscode" }],
  },
  {
    name: "frontend.convertllb",
    version: "0.1.0",
    type: "rpc",
    description: "Convert Dockerfile to LLB",
    metadata: [json],
  },
  {
    name: "frontend.subrequests.describe",
    version: "1.0.0",
    type: "rpc",
    description: "List available subrequest types",
    metadata: [json, text],
  },
];

/** The list for people. */
export function describeText(
  requests: readonly RequestDescription[] = requestDescriptions,
): string {
  return requests
    .map(({ name, version, description }) => `${name}@${version}: ${description}\n`)
    .join("");
}
