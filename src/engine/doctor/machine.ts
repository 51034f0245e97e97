// Judging the machine itself: system, kernel, Node, container runtime.
import { installFix } from "./distribution.ts";
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** Older kernels lack what builds as an ordinary user need. */
const overlayForUsers = [5, 11] as const;
const privateHandlers = [6, 7] as const;

export function judgeMachine(facts: Facts): readonly Finding[] {
  return [
    {
      id: "system",
      group: "machine",
      title: "System",
      status: "info",
      found: `${facts.distribution.name}, ${facts.machine}, as ${facts.user} (uid ${facts.uid})`,
    },
    kernel(facts),
    { id: "node", group: "machine", title: "Node.js", status: "ok", found: facts.node },
    runtime(facts),
  ];
}

function kernel({ kernel: version, uid }: Facts): Finding {
  const base = { id: "kernel", group: "machine", title: "Kernel", found: version } as const;
  if (!isAtLeast(version, overlayForUsers) && uid !== 0) {
    return {
      ...base,
      status: "warning",
      consequence: "overlay mounts of ordinary users need Linux 5.11: layers are copied instead",
      advice: "Update the kernel, or install fuse-overlayfs.",
    };
  }
  if (!isAtLeast(version, privateHandlers)) {
    return {
      ...base,
      status: "warning",
      consequence: "emulators cannot be registered for one build alone before Linux 6.7",
      advice: "Update the kernel, or register emulators for the machine with kiln binfmt.",
    };
  }
  return { ...base, status: "ok" };
}

/** Whether `6.18.4-rc1` is not before `[6, 7]`. */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [have = 0, than = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return have > major || (have === major && than >= minor);
}

function runtime({ tools, distribution }: Facts): Finding {
  const found = ["crun", "runc"].flatMap((name) => {
    const tool = tools[name];
    return tool?.path === undefined ? [] : [`${name} ${tool.version ?? "(version unknown)"}`];
  });
  const base = { id: "runtime", group: "machine", title: "Container runtime" } as const;
  const fix = installFix("crun", distribution);
  if (found.length === 0) {
    return {
      ...base,
      status: "missing",
      found: "neither crun nor runc",
      consequence: "RUN steps cannot run",
      ...(fix ? { fix } : { advice: "Install crun." }),
    };
  }
  if (tools["crun"]?.path !== undefined) return { ...base, status: "ok", found: found.join(", ") };
  return {
    ...base,
    status: "warning",
    found: found.join(", "),
    consequence: "crun starts a step in a third of the time, and can limit its memory",
    ...(fix ? { fix } : {}),
  };
}
