// Judging how builds are kept apart: the ladder, and the switches and files that its rungs need.
import type { IsolationReport } from "../isolation/index.ts";
import { installFix } from "./distribution.ts";
import { type Facts, namespaceSwitches } from "./facts.ts";
import type { Finding, Fix } from "./finding.ts";

export function judgeIsolation(facts: Facts): readonly Finding[] {
  return [
    ladder(facts.isolation),
    namespaces(facts),
    ...owners(facts),
    ...facts.isolation.rungs
      .filter(({ isolation }) => isolation === "userns-fuse" || isolation === "proot")
      .map((rung) => fallBack(rung, facts)),
  ];
}

function ladder({ rungs, chosen, owners: kept }: IsolationReport): Finding {
  const works = rungs.filter((rung) => rung.works).map(({ isolation }) => isolation);
  const base = { id: "isolation", group: "isolation", title: "Isolation" } as const;
  if (chosen === undefined) {
    return {
      ...base,
      status: "missing",
      found: "no way works",
      consequence: "RUN steps cannot run",
      advice: "The findings below say what each way needs.",
    };
  }
  const others = works.filter((one) => one !== chosen);
  const also = others.length > 0 ? `; also works: ${others.join(", ")}` : "";
  const single = kept === "one" && chosen !== "root" ? ", with one user id" : "";
  return {
    ...base,
    status: chosen === "proot" ? "warning" : "ok",
    found: `${chosen}${single}${also}`,
    ...(chosen === "proot"
      ? {
          consequence:
            "steps are slow and not kept apart from what this user can reach; chown in RUN is forgotten",
        }
      : {}),
  };
}

function namespaces({ switches, isolation, uid }: Facts): Finding {
  const base = { id: "userns", group: "isolation", title: "User namespaces" } as const;
  const rung = isolation.rungs.find((one) => one.isolation === "userns-copy");
  const off = offSwitches(switches);
  if (rung?.works) return { ...base, status: "ok", found: "allowed" };
  // Root needs none.
  const status = uid === 0 ? "info" : "warning";
  const commands = off.map(([name, value]) => `sysctl -w ${name.replaceAll("/", ".")}=${value}`);
  if (commands.length === 0) {
    return {
      ...base,
      status,
      found: rung?.reason ?? "not allowed",
      consequence: "builds of ordinary users are not kept apart from the machine",
      advice: rung?.hint ?? "In a container, allow the system calls unshare, clone and mount.",
    };
  }
  return {
    ...base,
    status,
    found: `switched off by ${off.map(([name]) => name.replaceAll("/", ".")).join(", ")}`,
    consequence: "builds of ordinary users are not kept apart from the machine",
    // An administrator's decision: nothing that is done in passing.
    fix: { commands, root: true, harmless: false },
    advice: "To keep it so after a restart, write the settings to /etc/sysctl.d/90-kiln.conf.",
  };
}

/** Those that forbid namespaces, with the value that allows them. */
function offSwitches(switches: Facts["switches"]): readonly (readonly [string, string])[] {
  const { most, clone, apparmor } = namespaceSwitches;
  return [
    ...(switches[most] === "0" ? [[most, "15000"] as const] : []),
    ...(switches[clone] === "0" ? [[clone, "1"] as const] : []),
    ...(switches[apparmor] === "1" ? [[apparmor, "0"] as const] : []),
  ];
}

/** Ranges of ids, and the programs that lend them; for ordinary users. */
function owners({ uid, isolation, tools, distribution }: Facts): readonly Finding[] {
  if (uid === 0) return [];
  const base = { id: "subuid", group: "isolation", title: "Lent ids" } as const;
  const { ownersObstacle } = isolation;
  if (ownersObstacle === undefined)
    return [{ ...base, status: "ok", found: "ranges in /etc/subuid and /etc/subgid" }];
  const consequence =
    "steps stay root, with USER too, and see root as every file's owner; the image has the right owners all the same";
  if (tools["newuidmap"]?.path === undefined) {
    const fix = installFix("uidmap", distribution);
    return [
      {
        ...base,
        status: "warning",
        found: "newuidmap is not installed",
        consequence,
        ...(fix ? { fix } : {}),
      },
    ];
  }
  const { reason: found, command } = ownersObstacle;
  const fix: Fix | undefined =
    command === undefined ? undefined : { commands: [command], root: true, harmless: true };
  return [{ ...base, status: "warning", found, consequence, ...(fix ? { fix } : {}) }];
}

function fallBack(
  { isolation, works, reason = "", hint }: IsolationReport["rungs"][number],
  { isolation: report, tools, distribution }: Facts,
): Finding {
  const name = isolation === "proot" ? "proot" : "fuse-overlayfs";
  const base = { id: name, group: "isolation", title: name } as const;
  const found = tools[name]?.version ? `${name} ${tools[name].version}` : name;
  if (works && isolation === "userns-fuse" && report.chosen === isolation)
    return {
      ...base,
      status: "info",
      found,
      consequence:
        "directories lose their set-group-id bit when a later step changes something in them",
      advice: "Set the bit again in the last step that needs it: chmod g+s.",
    };
  if (works) return { ...base, status: "ok", found };
  const better = report.rungs.find((rung) => rung.works && rung.isolation !== "userns-copy");
  const needed = report.chosen === undefined || (name === "fuse-overlayfs" && !better);
  const fix = tools[name]?.path === undefined ? installFix(name, distribution) : undefined;
  return {
    ...base,
    status: needed ? "warning" : "info",
    found: `${reason}${needed ? "" : "; not needed here"}`,
    ...(needed && fix ? { fix } : {}),
    ...(needed && !fix && hint !== undefined ? { advice: hint } : {}),
  };
}
