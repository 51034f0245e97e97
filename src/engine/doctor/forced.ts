// What somebody has set in the environment, which builds take instead of what the doctor finds best.
import type { Finding } from "./finding.ts";

const variables = [
  "KILN_ISOLATION",
  "KILN_OWNERS",
  "KILN_EMULATION",
  "KILN_NETWORK",
  "KILN_QEMU",
] as const;

/** Nothing where nothing is set. */
export function judgeForced(
  environment: Readonly<Record<string, string | undefined>>,
): readonly Finding[] {
  const set = variables.flatMap((name) =>
    environment[name] ? [`${name}=${environment[name]}`] : [],
  );
  if (set.length === 0) return [];
  return [
    {
      id: "forced",
      group: "isolation",
      title: "Set by hand",
      status: "info",
      found: set.join(", "),
      consequence: "builds take this, whatever else is possible here",
    },
  ];
}
