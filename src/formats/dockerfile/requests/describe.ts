// The sub-request `frontend.subrequests.describe`: which sub-requests there are.
import { columns } from "./tables.ts";

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

/** The list for people: names without what all of them begin with. */
export function describeText(): string {
  const rows = requestDescriptions.map(({ name, version, description }) => [
    name.replace(/^frontend\./, ""),
    version,
    description,
  ]);
  return columns([["NAME", "VERSION", "DESCRIPTION"], ...rows], 1);
}

/** The list for programs: Go writes what is not there as null, and descriptions that are empty. */
export function describeJson(): readonly unknown[] {
  return requestDescriptions.map(({ name, version, type, description, opts, metadata }) => ({
    ...{ name, version, type, description, opts: opts ?? null, inputs: null },
    metadata: metadata.map((one) => ({ ...one, description: "" })),
    refs: null,
  }));
}
